<?php
require __DIR__ . '/layout.php';

date_default_timezone_set('UTC');
session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Lax']);

if (($_SERVER['REQUEST_METHOD'] ?? '') === 'POST') {
    $_SESSION = [];
    session_regenerate_id(true);
    header('Location: session.php', true, 303);
    exit;
}

$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
$_SESSION['since'] ??= time();
$visits = $_SESSION['visits'];

begin_page('A session');
?>
<p class="count"><output id="visits"><?= $visits ?></output> <?= $visits === 1 ? 'visit' : 'visits' ?> since
<?= date('H:i:s', $_SESSION['since']) ?> UTC</p>

<p>PHP keeps the number in its session; your browser has the cookie <code><?= h(session_name()) ?></code>.</p>

<div class="actions">
<a class="button" href="session.php">Visit again</a>
<form method="post"><button class="quiet">Start over</button></form>
</div>
<?php
end_page();
