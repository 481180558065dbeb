"""Pages written here, for the tests that always run: one for each kind of page that broke, or misled, an injector."""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["LEFT_ALONE", "PAGES", "combinations"]

_ARTICLE = "<main><h1>News</h1><p>Words & more words</p><form action=/s><input name=q></form></main>\n"


def _in_charset(charset: str, title: str) -> bytes:
    page = (
        f'<!DOCTYPE html>\n<html><head>\n<meta charset="{charset}">\n<title>{title}</title>\n</head>\n<body>\n{title}'
    )
    return (page + _ARTICLE).encode(charset)


PAGES = {
    "plain": f"<!doctype html>\n<html lang=en>\n<head>\n<title>T</title>\n</head>\n<body>\n{_ARTICLE}</body></html>",
    "open_graph": '<!doctype html><html prefix="og: https://ogp.me/ns#"><head prefix="og: a b: c>"><title>T</title>'
    f'</head><body class="home page">{_ARTICLE}</body></html>',
    "tables_of_1999": "<HTML><HEAD><TITLE>T</TITLE></HEAD><BODY BGCOLOR=#FFFFFF TEXT=black><CENTER><TABLE><TR><TD>"
    "<FORM><FONT SIZE=2>Hi<TR></FORM></TABLE></BODY></HTML>",
    "xhtml_as_html": '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\n<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en">'
    "<head><title>T</title><link rel='x' href='y' /></head><body><p>Hi<br /></p></body></html>",
    "tag_manager_and_pixel": "<!doctype html><html><head><meta charset=utf-8><script>(function(w,d){var j='<body>'})()"
    "</script><noscript><img height=1 src='https://pixel.example/?a=b&noscript=1'></noscript><title>T</title></head>"
    f"<body><noscript><iframe src=//gtm.example></iframe></noscript>{_ARTICLE}",
    "pixel_before_charset": "<!doctype html><head><noscript><div><img src=p></div></noscript><meta charset=utf-8>"
    f"</head><body>{_ARTICLE}",
    "tags_in_scripts": "<!doctype html><head><script>var s = \"</head><body></body>\"; document.write('<body>')"
    '</script><script type="application/ld+json">{"a": "</he\\u0061d><body>"}</script></head>'
    '<body><script>"</body>"</script>Hi',
    "tags_in_comments": "<!doctype html><!--[if lt IE 9]><html class=ie><![endif]--><!--[if gt IE 8]><!--><html>"
    f"<!--<![endif]--><head><!-- <head></head><body> --><title>T</title></head><!-- <body> --><body>{_ARTICLE}",
    "tags_in_title_and_textarea": "<!doctype html><title></head><body></title><body><textarea><body></textarea>Hi",
    "tags_in_style_and_template": "<!doctype html><head><style>a::after{content:'</head>'}</style><template><body>"
    "</head><p></template></head><body>Hi",
    "tags_in_attributes": "<!doctype html><html data-x='<head>' data-y=\"</head><body>\"><head data-z='>'></head>"
    "<body onload=\"if (a > b) { x('<body>') }\" title=it's>Hi",
    "header_is_no_head": f"<!doctype html><header>Top</header>{_ARTICLE}",
    "no_tags_but_title": f"<!doctype html><title>T</title>{_ARTICLE}",
    "no_tags_at_all": "<!doctype html>\nHello",
    "single_page_application": "<!doctype html><html><head><script type=module src=/a.js></script></head><body>"
    "<div id=app></div></body></html>",
    "single_page_application_without_body": "<!doctype html><title>T</title><div id=app></div><script src=a></script>",
    "nested_documents": "<html><head></head><body><HTML><HEAD><TITLE>T</TITLE></HEAD><BODY TEXT=red>Hi</BODY></HTML>",
    "body_end_inside_footer": f"<!doctype html><head></head><body>{_ARTICLE}<footer><div></body></html><!-- end -->\n",
    "base": "<!doctype html><head><base href=https://cdn.example/><title>T</title></head><body>Hi",
    "meta_policy": "<!doctype html><head><meta http-equiv=Content-Security-Policy content=\"default-src 'self'\">"
    "</head><body>Hi",
    "charset_at_the_last_moment": "<!doctype html><head><!--" + "x" * 970 + "--><meta charset=utf-8></head><body>Hi",
    "charset_too_late": "<!doctype html><head><!--" + "x" * 1_100 + "--></head><body><meta charset=utf-8>Hi",
    "late_body": "<!doctype html><head>" + "<!-- comment <body> -->\n" * 3_000 + "</head><body>Hi",
    "warning_first": f"<br />\n<b>Warning</b>: undefined<!doctype html><html><head></head><body>{_ARTICLE}",
    "crlf": "<!doctype html>\r\n<html>\r\n<head>\r\n<title>T</title>\r\n</head>\r\n<body>\r\nHi\r\n</body>\r\n</html>",
    "byte_order_mark": "\ufeff<!doctype html><head><title>T</title></head><body>Hi",
    "byte_order_mark_twice": f"\ufeff\ufeff<!DOCTYPE html>\n<html>\n<head><title>T</title></head><body>{_ARTICLE}",
    "windows_1251": _in_charset("windows-1251", "Добрый день"),
    "gb18030": _in_charset("gb18030", "您的浏览器㐂"),
    "shift_jis": _in_charset("shift_jis", "ソ連十予表"),  # second bytes that are ASCII's backslash
    "iso_2022_jp": _in_charset("iso-2022-jp", "日本語"),
    "euc_kr": _in_charset("euc-kr", "안녕하세요"),
    "big5": _in_charset("big5", "功許蓋"),
    "latin_1_without_saying": "<!doctype html><title>Café</title><body>Æ".encode("latin-1"),
}
"""Pages that get a banner when a browser navigates to them."""

LEFT_ALONE = {
    "amp": "<!doctype html><html amp><head><style amp-boilerplate></style></head><body>Hi",
    "amp_with_lightning": '<!doctype html><html ⚡ lang="en"><head></head><body>Hi',
    "frameset": "<html><frameset cols=20%,*><frame src=a><frame src=b><noframes><body>Hi</body></noframes></frameset>",
    "frameset_after_blocks": "<html><div><!-- x --> </div><p>\n<frameset><frame></frameset>",
    "charset_in_the_body": "<html><head><title>T</title></head><body><html><head><meta charset=windows-1252></head>Hi",
    "utf_16": "\ufeff<!doctype html><head></head><body>Hi".encode("utf-16-le"),
    "utf_16_without_mark": "<!doctype html><head></head><body>Hi".encode("utf-16-be"),
    "json": '{"page": "<!doctype html><html><head></head><body>"}',
    "text_first": "31e6\n<!-- a chunk's length --><!doctype html><html><head></head><body>Hi",
    "empty": "",
    "one_byte_of_a_mark": b"\xef",
    "never_ending_comment": "<!doctype html><!-- <head></head><body>Hi",
    "never_ending_script": "<!doctype html><script><!-- <script> </script><body>Hi",
}
"""Pages that go out byte for byte as they came."""

_PROLOGS = (
    *("", "<!doctype html>", "\n \t<!DOCTYPE HTML>\r\n", "<!-- <body> --><!doctype html>", "<?xml version='1.0'?>"),
    *("<!doctype html><html>", "<!doctype html><html lang='cy' data-a='>'>", "<html><!--x-->", "</p></x><html\n>"),
)
_HEADS = (
    *(
        "",
        "<head>",
        "<head>\n<title>a <body> </title>",
        "<meta charset=utf-8><link rel=a>",
        "<head><script>'<body>'</script>",
    ),
    *(
        "<head><style></head></style>",
        "<head><noscript><link></noscript>",
        "<head><noscript><img></noscript><base href=/>",
    ),
    *("<template><body></head></template>", "<head><!--</head>-->", "<title/>x</title>", "<head/><bgsound><basefont>"),
    *("<head><script><!--<script></script>--></script>", "<noframes><body></noframes>", "\0", "<head></br>", "<head>x"),
)
_BETWEEN = (
    "",
    "</head>",
    "</head>\n",
    "</head><!-- <body> -->\n",
    "</head></head><meta>",
    "</head><title>t</title>",
    "</html>",
)
_BODIES = (
    *(
        "",
        "<body>",
        "<body class=a>\n",
        "<BODY\nonload='a>b'>",
        "<body/>",
        "Hi",
        "<p>Hi",
        "<header>",
        "<table><tr><td>Hi",
    ),
    *(
        "<frameset><frame>",
        "<div> <frameset>",
        "<svg><path/></svg><frameset>",
        "<svg><title></svg>",
        "<select><option>a",
    ),
    *("</body>", "<input type=hidden><frameset>", "<!-- --><b> <i><frameset>", "<textarea><body>", "<plaintext><body>"),
    *(
        "<script>'<body>'</script><body>",
        "<noscript><p></p></noscript><body>",
        "<template></template><body>",
        "<math><mi>x",
    ),
)
_ENDS = (
    "",
    "text",
    "<p>a<b>c</p>d</b>",
    "</body></html>\n<!-- e -->",
    "<body lang=x>more",
    "<form><input></form>",
    "<",
)


def combinations(count: int) -> Iterator[bytes]:
    """Yield pages put together from parts, the same ones each time."""
    chance = random.Random(count)  # noqa: S311 - nothing secret
    for _ in range(count):
        yield "".join(map(chance.choice, (_PROLOGS, _HEADS, _HEADS, _BETWEEN, _BODIES, _ENDS))).encode()
