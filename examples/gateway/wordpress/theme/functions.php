<?php
// What the settings page of many themes and plugins adds to every page.
add_action('wp_head', function () {
    ?>
<!-- Google tag (gtag.js) -->
<script async src="https://www.googletagmanager.com/gtag/js?id=G-LUTON123"></script>
<script>
  window.dataLayer = window.dataLayer || [];
  function gtag(){dataLayer.push(arguments);}
  gtag('js', new Date());
  gtag('config', 'G-LUTON123');
</script>
    <?php
});
