<?php
// WordPress as Debian ships it, on a private MariaDB. The address is whatever the visitor asked for, so that the site
// works directly and behind the gateway.
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:' . getenv('WORDPRESS_SOCKET'));
define('DB_CHARSET', 'utf8mb4');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
    define($name . '_KEY', getenv('WORDPRESS_SECRET') . $name);
    define($name . '_SALT', getenv('WORDPRESS_SECRET') . $name . 'salt');
}
if (isset($_SERVER['HTTP_X_FORWARDED_PROTO']) && $_SERVER['HTTP_X_FORWARDED_PROTO'] === 'https') {
    $_SERVER['HTTPS'] = 'on'; // the gateway writes this header itself: a visitor cannot
}
if (isset($_SERVER['HTTP_HOST'])) {
    $address = (isset($_SERVER['HTTPS']) ? 'https://' : 'http://') . $_SERVER['HTTP_HOST'];
    define('WP_HOME', $address);
    define('WP_SITEURL', $address);
}
define('COOKIEHASH', 'luton');              // one login for every address of the site
define('WP_HTTP_BLOCK_EXTERNAL', true);      // this demonstration asks nobody on the internet
define('AUTOMATIC_UPDATER_DISABLED', true);
define('DISABLE_WP_CRON', true);
define('WP_AUTO_UPDATE_CORE', false);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) { define('ABSPATH', __DIR__ . '/'); } // wp-load.php has, usually
require_once ABSPATH . 'wp-settings.php';
