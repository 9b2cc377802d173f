<?php

/** Tests the client against the server that scripts/test-clients starts. */

declare(strict_types=1);

use Cartwheel\Cartwheel;
use Cartwheel\CartwheelException;
use Cartwheel\ShopperToken;

/** Finds the classes as composer.json says. */
const AUTOLOAD = <<<'PHP'
    spl_autoload_register(static function (string $class): void {
        foreach (json_decode(file_get_contents(ROOT . '/composer.json'), true)['autoload']['psr-4'] as $space => $folder) {
            if (str_starts_with($class, $space)) {
                require ROOT . "/$folder" . strtr(substr($class, strlen($space)), '\\', '/') . '.php';
            }
        }
    });
    PHP;
define('ROOT', dirname(__DIR__));
eval(AUTOLOAD);
set_error_handler(static fn ($_, $message, $file, $line) => throw new ErrorException($message, 0, 1, $file, $line));

/** Seconds; long enough for a machine that is busy. */
const PATIENT = 30.0;

function setting(string $name): string
{
    $value = getenv($name);
    return is_string($value) ? $value : exit("$name is not set: run scripts/test-clients\n");
}

define('URL', setting('CARTWHEEL_URL'));
define('KEY', setting('CARTWHEEL_API_KEY'));
define('SECRET', setting('CARTWHEEL_SIGNING_SECRET'));

function check(mixed $found, mixed $expected): void
{
    if ($found !== $expected) {
        throw new Exception(var_export($found, true) . ' is not ' . var_export($expected, true));
    }
}

/** A shopper of whom the server knows nothing. */
function newUser(): string
{
    return 'php-' . bin2hex(random_bytes(8));
}

function add(string $user, string ...$products): array
{
    return ['event' => 'add_to_cart', 'user_id' => $user, 'product_ids' => $products];
}

function cartOf(string $user): array
{
    $client = new Cartwheel(URL, KEY, timeout: PATIENT);
    $cart = $client->request('GET', '/v1/users/{id}/cart', ['id' => $user]);
    return array_column($cart['items'], 'quantity', 'product_id');
}

function failure(Closure $ask): CartwheelException
{
    try {
        $ask();
    } catch (CartwheelException $error) {
        return $error;
    }
    throw new Exception('it succeeds');
}

/** Runs a test against a proxy with faults, and returns the bodies that the proxy got. */
function faulty(array $faults, Closure $test): array
{
    $command = [PHP_BINARY, __DIR__ . '/faulty.php', URL, json_encode($faults)];
    $process = proc_open($command, [1 => ['pipe', 'w']], $pipes);
    try {
        $test(trim(fgets($pipes[1])));
    } finally {
        proc_terminate($process);
        $lines = array_filter(explode("\n", stream_get_contents($pipes[1])));
        proc_close($process);
    }
    return array_map(json_decode(...), array_values($lines));
}

/** Runs a program and returns what it prints. */
function run(string $program): string
{
    $folder = sys_get_temp_dir() . '/cartwheel-' . bin2hex(random_bytes(8));
    mkdir("$folder/vendor", recursive: true);
    file_put_contents("$folder/vendor/autoload.php", "<?php\nconst ROOT = " . var_export(ROOT, true) . ";\n" . AUTOLOAD);
    file_put_contents("$folder/program.php", "<?php\n$program");
    try {
        $process = proc_open([PHP_BINARY, 'program.php'], [1 => ['pipe', 'w']], $pipes, $folder);
        $printed = stream_get_contents($pipes[1]);
        if (proc_close($process) !== 0) {
            throw new Exception("it fails:\n$program\n$printed");
        }
        return $printed;
    } finally {
        unlink("$folder/program.php");
        unlink("$folder/vendor/autoload.php");
        rmdir("$folder/vendor");
        rmdir($folder);
    }
}

$tests = [
    'events in, recommendations out' => static function (): void {
        $client = new Cartwheel(URL, KEY, timeout: PATIENT, interval: 600);
        $user = newUser();
        foreach (['1', '2', '2'] as $product) {
            check($client->track(add($user, $product)), true);
        }
        check($client->waiting(), 3);
        $client->flush();
        check($client->waiting(), 0);
        check(cartOf($user), [1 => 1, 2 => 2]);
        check(count($client->submit(add($user, '3'))['recommendations']), 10);
        check(count($client->recommend(['user_id' => $user, 'limit' => 4])['recommendations']), 4);
        $page = $client->page(['user_id' => $user, 'placements' => [['name' => 'home'], ['name' => 'cart']]]);
        check(array_column($page['placements'], 'placement'), ['home', 'cart']);
        $similar = $client->request('GET', '/v1/products/{id}/similar', ['id' => '1'], ['limit' => 2]);
        check(count($similar['recommendations']), 2);
    },
    'events are sent once enough wait, and after the interval' => static function (): void {
        $user = newUser();
        $client = new Cartwheel(URL, KEY, timeout: PATIENT, batchSize: 2, interval: 600);
        $client->track(add($user, '1'));
        check($client->waiting(), 1);
        $client->track(add($user, '2'));
        check($client->waiting(), 0);
        $client = new Cartwheel(URL, KEY, timeout: PATIENT, interval: 0);
        $client->track(add($user, '3'));
        check($client->waiting(), 0);
        check(cartOf($user), [1 => 1, 2 => 1, 3 => 1]);
    },
    'events are sent when the program ends' => static function (): void {
        $user = newUser();
        run("require 'vendor/autoload.php';\n\$client = new Cartwheel\\Cartwheel('" . URL . "', '" . KEY
            . "', timeout: 30);\n\$client->track(" . var_export(add($user, '7'), true) . ");\nexit(0);");
        check(cartOf($user), [7 => 1]);
    },
    'an event whose answer is lost counts once' => static function (): void {
        $user = newUser();
        $bodies = faulty(['drop', 'drop'], static function (string $url) use ($user): void {
            $client = new Cartwheel($url, KEY, timeout: PATIENT, interval: 600);
            $client->track(add($user, '1'));
            $client->flush();
        });
        check([count($bodies), count(array_unique($bodies))], [3, 1]);
        check(cartOf($user), [1 => 1]);
    },
    'the client waits as long as the server asks' => static function (): void {
        $started = hrtime(true);
        $bodies = faulty([[429, "Retry-After: 1\r\n"]], static function (string $url): void {
            (new Cartwheel($url, KEY, timeout: PATIENT))->recommend(['user_id' => newUser()]);
        });
        check(count($bodies), 2);
        check(hrtime(true) - $started >= 1e9, true);
    },
    'a fallback answers for a server but hides no mistake' => static function (): void {
        $statuses = [];
        $home = static function (mixed $fault, float $timeout) use (&$statuses): void {
            faulty([$fault], static function (string $url) use ($timeout, &$statuses): void {
                $fallback = static function (CartwheelException $error) use (&$statuses): array {
                    $statuses[] = $error->status;
                    return ['recommendations' => []];
                };
                $client = new Cartwheel($url, KEY, retries: 0);
                $answer = $client->placement('home', ['user_id' => 'u'], timeout: $timeout, fallback: $fallback);
                check($answer, ['recommendations' => []]);
            });
        };
        $home('hang', 0.1);
        $home([503, ''], PATIENT);
        check($statuses, [0, 503]);
        check(failure(static fn () => $home([400, ''], PATIENT))->status, 400);
        $nowhere = new Cartwheel('http://127.0.0.1:9', retries: 0);
        check(failure(static fn () => $nowhere->recommend(['user_id' => 'u']))->isPassing(), true);
        $client = new Cartwheel(URL, KEY, timeout: PATIENT);
        $error = failure(static fn () => $client->placement('nowhere', ['user_id' => 'u']));
        check([$error->status, $error->isPassing(), $error->problem['status']], [404, false, 404]);
    },
    'the queue is bounded and says what it loses' => static function (): void {
        $lost = [];
        $onLost = static function (array $event, string $why) use (&$lost): void {
            $lost[] = [$event['product_ids'], $why];
        };
        $client = new Cartwheel(URL, KEY, timeout: PATIENT, maxQueue: 2, interval: 600, onLost: $onLost);
        $user = newUser();
        check($client->track(add($user, "\xff")), false);
        check($client->track(add($user, '1')), true);
        check($client->track(add($user)), true);
        check($client->track(add($user, '2')), false);
        $client->flush();
        check(cartOf($user), [1 => 1]);
        check([count($lost), $lost[1]], [3, [['2'], 'the queue is full']]);
        check(str_contains($lost[0][1], 'UTF-8') && str_contains($lost[2][1], 'product'), true);
    },
    'what the server cannot take waits, and is reported in the end' => static function (): void {
        $lost = [];
        $bodies = faulty(array_fill(0, 3, [503, '']), static function (string $url) use (&$lost): void {
            $onLost = static function (array $event) use (&$lost): void {
                $lost[] = $event['product_ids'];
            };
            $client = new Cartwheel($url, KEY, timeout: PATIENT, retries: 0, batchSize: 1, interval: 600, onLost: $onLost);
            $client->track(add(newUser(), '3'));
            check($client->waiting(), 1);
            // The next event does not ask a server again that has just failed.
            $client->track(add(newUser(), '4'));
            check($client->waiting(), 2);
            check(failure($client->flush(...))->status, 503);
            check([$client->waiting(), $lost], [2, []]);
            unset($client);
        });
        check([count($bodies), $lost], [3, [['3'], ['4']]]);
        $ids = array_map(static fn (string $body) => json_decode($body, true)[0]['event_id'], $bodies);
        check(count(array_unique($ids)), 1);
    },
    'a token acts for its shopper and is fetched again' => static function (): void {
        $user = newUser();
        $fetched = 0;
        $token = static function () use ($user, &$fetched): string {
            return ShopperToken::sign($fetched++ === 0 ? 'cws_other' : SECRET, $user);
        };
        $client = new Cartwheel(URL, token: $token, timeout: PATIENT);
        $client->submit(add($user, '5'));
        check($fetched, 2);
        check(cartOf($user), [5 => 1]);
        $error = failure(static fn () => $client->recommend(['user_id' => newUser()]));
        check(str_ends_with($error->problem['type'], 'other-shopper'), true);
    },
    'mistakes of the program are told apart' => static function (): void {
        $messages = [];
        foreach ([
            static fn () => new Cartwheel('recommendations.example'),
            static fn () => (new Cartwheel(URL, KEY))->request('GET', '/v1/users/{id}/cart'),
        ] as $mistake) {
            try {
                $mistake();
            } catch (InvalidArgumentException $error) {
                $messages[] = $error->getMessage();
            }
        }
        check($messages, [
            'url is "recommendations.example": expected http:// or https:// and a host',
            'params has no "id", which /v1/users/{id}/cart needs',
        ]);
    },
    'the example of the README runs' => static function (): void {
        preg_match('/```php\n(.*?)```/s', file_get_contents(ROOT . '/README.md'), $example);
        check(count(array_filter(explode("\n", $example[1]))) <= 5, true);
        $program = str_replace(['http://127.0.0.1:8080', 'cw_…'], [URL, KEY], $example[1]);
        check(preg_match('/\w/', run($program)), 1);
    },
];

$failed = 0;
foreach ($tests as $name => $test) {
    try {
        $test();
    } catch (Throwable $error) {
        $failed++;
        echo "$name: $error\n";
    }
}
echo 'PHP: ', count($tests) - $failed, " passed, $failed failed\n";
exit($failed === 0 ? 0 : 1);
