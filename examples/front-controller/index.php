<?php
// Routes on REQUEST_URI, as frameworks do.
header('Content-Type: text/plain; charset=utf-8');
$path = rawurldecode(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?: '/');
if (preg_match('#^/hello/([^/]+)$#', $path, $found)) {
    echo "Hello, {$found[1]}!\n";
    return;
}
http_response_code(404);
echo "There is no page {$path}\n";
