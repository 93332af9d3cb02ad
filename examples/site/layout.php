<?php
// What every page of this site has in common.

const PAGES = [
    'index.php' => 'Request',
    'form.php' => 'Form',
    'session.php' => 'Session',
    'stream.php' => 'Stream',
];

/** Text as it may stand in HTML. */
function h(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE);
}

/** The path that the site is below; empty where that is /. */
function base(): string
{
    return rtrim(dirname($_SERVER['SCRIPT_NAME'] ?? '/'), '/\\');
}

function begin_page(string $title): void
{
    $here = basename($_SERVER['SCRIPT_NAME'] ?? '');
    $base = base();
    ?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title><?= h($title) ?></title>
<link rel="icon" href="<?= h($base) ?>/icon.svg">
<link rel="stylesheet" href="<?= h($base) ?>/style.css">
</head>
<body>
<header>
<nav>
<?php foreach (PAGES as $file => $name): ?>
<a href="<?= h("$base/$file") ?>"<?= $file === $here ? ' aria-current="page"' : '' ?>><?= $name ?></a>
<?php endforeach ?>
</nav>
</header>
<main>
<h1><?= h($title) ?></h1>
<?php
}

function end_page(): void
{
    ?>
</main>
<footer>PHP <?= PHP_VERSION ?> as <?= h(PHP_SAPI) ?> on <?= h(PHP_OS_FAMILY) ?>, served by <?= h($_SERVER['SERVER_SOFTWARE'] ?? 'nobody') ?></footer>
</body>
</html>
<?php
}
