<?php

declare(strict_types=1);

namespace Cartwheel;

/**
 * Requests over one connection that is kept, again where that helps.
 *
 * @internal
 */
final class Transport
{
    private const FIRST_WAIT = 0.2;
    private const MOST_WAIT = 10.0;
    /** Largest answer that is read, in bytes. */
    private const MOST_ANSWER = 64 << 20;
    /** Requests that change nothing, or whose events have ids: a second one does no harm. */
    private const REPEATABLE = '#^/(submit|v1/(events|page|rank|recommendations|placements/\{name\}))$#D';

    private readonly string $base;
    private readonly \CurlHandle $curl;
    private ?string $fetched = null;

    /** @param string|\Closure(): string|null $token */
    public function __construct(
        string $url,
        #[\SensitiveParameter] private readonly ?string $key,
        #[\SensitiveParameter] private readonly string|\Closure|null $token,
        private readonly float $timeout,
        private readonly int $retries,
    ) {
        if (preg_match('#^https?://[^/]#i', $url) !== 1) {
            throw new \InvalidArgumentException("url is \"$url\": expected http:// or https:// and a host");
        }
        $this->base = rtrim($url, '/');
        $this->curl = curl_init();
    }

    /**
     * Sends a request and returns the JSON of its answer; see `Cartwheel::request`.
     *
     * @param array<string, string|int> $params
     * @param array<string, string|int|float|bool|null> $query
     * @param (\Closure(CartwheelException): mixed)|null $fallback
     */
    public function request(
        string $method,
        string $path,
        array $params = [],
        array $query = [],
        mixed $body = null,
        ?float $timeout = null,
        ?int $retries = null,
        ?\Closure $fallback = null,
    ): mixed {
        $address = $this->base . self::path($path, $params);
        $query = array_map(static fn ($value) => is_bool($value) ? ($value ? 'true' : 'false') : $value, $query);
        $asked = http_build_query($query, '', '&', PHP_QUERY_RFC3986);
        $address .= $asked === '' ? '' : "?$asked";
        $data = $body === null ? null : json_encode($body, JSON_THROW_ON_ERROR);
        $isRepeatable = in_array($method, ['GET', 'PUT'], true) || preg_match(self::REPEATABLE, $path) === 1;
        $isRenewed = false;
        for ($attempt = 0;;) {
            try {
                return $this->send($method, $address, $data, $timeout ?? $this->timeout, $isRepeatable);
            } catch (CartwheelException $error) {
                if ($error->status === 401 && $this->token instanceof \Closure && !$isRenewed) {
                    $isRenewed = true;
                    $this->fetched = null;
                    continue;
                }
                // A request that was refused for its rate was not carried out.
                $mayRepeat = ($isRepeatable || $error->status === 429) && $error->isPassing();
                if ($mayRepeat && $attempt < ($retries ?? $this->retries)) {
                    $backoff = self::FIRST_WAIT * 2 ** $attempt * random_int(500, 1000) / 1000;
                    usleep((int) (1e6 * min($error->retryAfter ?? $backoff, self::MOST_WAIT)));
                    $attempt++;
                    continue;
                }
                if ($fallback !== null && $error->isPassing()) {
                    return $fallback($error);
                }
                throw $error;
            }
        }
    }

    /** @param array<string, string|int> $params */
    private static function path(string $path, array $params): string
    {
        $values = [];
        foreach ($params as $name => $value) {
            $values['{' . $name . '}'] = rawurlencode((string) $value);
        }
        $filled = strtr($path, $values);
        if (preg_match('/\{(\w+)\}/', $filled, $missing) === 1) {
            throw new \InvalidArgumentException("params has no \"$missing[1]\", which $path needs");
        }
        return $filled;
    }

    private function credential(): ?string
    {
        if ($this->token instanceof \Closure) {
            $this->fetched ??= ($this->token)();
            return "Authorization: Bearer $this->fetched";
        }
        if ($this->token !== null) {
            return "Authorization: Bearer $this->token";
        }
        return $this->key === null ? null : "X-Api-Key: $this->key";
    }

    private function send(string $method, string $address, ?string $data, float $timeout, bool $reuse): mixed
    {
        // Without the empty Expect, curl asks before it sends a large body.
        $headers = ['Expect:'];
        if ($data !== null) {
            $headers[] = 'Content-Type: application/json';
        }
        if (($credential = $this->credential()) !== null) {
            $headers[] = $credential;
        }
        $content = '';
        $retryAfter = null;
        curl_reset($this->curl);
        curl_setopt_array($this->curl, [
            CURLOPT_URL => $address,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_TIMEOUT_MS => max(1, (int) (1000 * $timeout)),
            CURLOPT_NOSIGNAL => true,
            // A connection that is kept may have ended, upon which curl sends again.
            CURLOPT_FRESH_CONNECT => !$reuse,
            CURLOPT_HEADERFUNCTION => static function ($_, string $line) use (&$retryAfter): int {
                if (preg_match('/^retry-after:\s*(\d{1,9})\s*$/i', $line, $found) === 1) {
                    $retryAfter = (int) $found[1];
                }
                return strlen($line);
            },
            CURLOPT_WRITEFUNCTION => static function ($_, string $bytes) use (&$content): int {
                if (strlen($content) + strlen($bytes) > self::MOST_ANSWER) {
                    return 0;
                }
                $content .= $bytes;
                return strlen($bytes);
            },
        ]);
        if ($data !== null) {
            curl_setopt($this->curl, CURLOPT_POSTFIELDS, $data);
        }
        if (curl_exec($this->curl) === false) {
            throw new CartwheelException('no answer: ' . curl_error($this->curl));
        }
        $status = (int) curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE);
        $answer = json_decode($content, true);
        if ($status < 200 || $status >= 300) {
            // A proxy may have answered.
            $problem = is_array($answer) ? $answer : null;
            $detail = $problem['detail'] ?? $problem['title'] ?? substr($content, 0, 200);
            throw new CartwheelException("$status: $detail", $status, $problem, $retryAfter);
        }
        if ($content !== '' && $answer === null && trim($content) !== 'null') {
            throw new CartwheelException('the answer is not JSON: is this the address of Cartwheel?');
        }
        return $answer;
    }
}
