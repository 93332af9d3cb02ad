<?php
// Sends one line at once and another after two seconds.
header('Content-Type: text/plain');
echo "begun\n";
while (ob_get_level() > 0) {
    ob_end_flush();
}
flush();
sleep(2);
echo "done\n";
