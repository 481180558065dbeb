<?php
// Run once by php-cli: tables, an editor, two posts, and the theme that prints Google's snippet.
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'localhost';
require 'wp-load.php';
require 'wp-admin/includes/upgrade.php';

wp_install('Step Forward Luton', 'editor', 'editor@luton.example', true, '', getenv('WORDPRESS_PASSWORD'));
switch_theme('luton');
update_option('permalink_structure', '/%postname%/');
update_option('show_comments_cookies_opt_in', 1);
update_option('comment_previously_approved', 0);
flush_rewrite_rules();

$video = '<iframe width="560" height="315" src="https://www.youtube.com/embed/dQw4w9WgXcQ" title="Luton in a minute" allowfullscreen></iframe>';
kses_remove_filters(); // an editor may embed
wp_insert_post([
    'post_title' => 'Luton in a minute', 'post_name' => 'video', 'post_status' => 'publish', 'post_author' => 1,
    'post_content' => "<!-- wp:html -->\n<figure>$video</figure>\n<!-- /wp:html -->\n<p>The video above is on YouTube.</p>",
]);
wp_insert_post([
    'post_title' => 'Parks reopen', 'post_name' => 'parks', 'post_status' => 'publish', 'post_author' => 1,
    'comment_status' => 'open', 'post_content' => '<p>Wardown Park is open again.</p>',
]);
wp_insert_post([
    'post_title' => 'For partners', 'post_name' => 'partners', 'post_status' => 'publish', 'post_author' => 1,
    'post_password' => 'partners', 'post_content' => '<p>Only partners read this.</p>',
]);
