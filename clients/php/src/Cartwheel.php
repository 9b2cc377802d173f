<?php

declare(strict_types=1);

namespace Cartwheel;

/**
 * A client of one server; most programs need one.
 *
 * Each request takes the named arguments `timeout` and `retries`, which differ from the client's for once,
 * and `fallback`, a closure whose answer is taken if the server has none at the moment.
 *
 * @phpstan-import-type Event from Schema
 * @phpstan-import-type PageAnswer from Schema
 * @phpstan-import-type PageRequest from Schema
 * @phpstan-import-type PlacementAnswer from Schema
 * @phpstan-import-type PlacementRequest from Schema
 * @phpstan-import-type RecommendationRequest from Schema
 * @phpstan-import-type Recommendations from Schema
 * @phpstan-import-type Submitted from Schema
 */
final class Cartwheel
{
    private readonly Transport $transport;
    private readonly Queue $queue;

    /**
     * @param string $url The server, such as `https://recommendations.example`.
     * @param string|null $key A secret key.
     * @param string|\Closure(): string|null $token A shopper token, or what fetches one; asked again after a
     *     token was refused.
     * @param float $timeout Seconds until an attempt counts as failed.
     * @param int $retries Further attempts after one that failed.
     * @param int $maxQueue Most events that wait; further ones are dropped.
     * @param int $batchSize Most events of a request, at most 500.
     * @param float $interval Seconds for which events are collected.
     * @param (\Closure(Event, string): void)|null $onLost Hears of each event that is lost, and why.
     */
    public function __construct(
        string $url,
        #[\SensitiveParameter] ?string $key = null,
        #[\SensitiveParameter] string|\Closure|null $token = null,
        float $timeout = 2.0,
        int $retries = 2,
        int $maxQueue = 10_000,
        int $batchSize = 100,
        float $interval = 1.0,
        ?\Closure $onLost = null,
    ) {
        $this->transport = new Transport($url, $key, $token, $timeout, $retries);
        $this->queue = new Queue($this->transport, $maxQueue, $batchSize, $interval, $onLost);
    }

    /** Sends what waits. What cannot be sent is lost, and reported as such. */
    public function __destruct()
    {
        // A constructor that throws leaves no queue.
        if (isset($this->queue)) {
            $this->queue->end();
        }
    }

    /**
     * Asks any route of the API and returns the JSON of its answer, objects as arrays.
     *
     * @param string $path As in the API's document, such as `/v1/products/{id}/similar`.
     * @param array<string, string|int> $params The values of the names in the path.
     * @param array<string, string|int|float|bool|null> $query
     *
     * @throws CartwheelException
     */
    public function request(
        string $method,
        string $path,
        array $params = [],
        array $query = [],
        mixed $body = null,
        mixed ...$options,
    ): mixed {
        return $this->transport->request($method, $path, $params, $query, $body, ...$options);
    }

    /**
     * Sends an event together with others: once enough wait, or the first has waited for the interval, or
     * the program ends. Returns false if it is lost.
     *
     * @param Event $event
     */
    public function track(array $event): bool
    {
        return $this->queue->put($event);
    }

    /**
     * Stores an event and recommends: the answer already reflects it.
     *
     * @param Event $event
     *
     * @return Submitted
     *
     * @throws CartwheelException
     */
    public function submit(array $event, mixed ...$options): array
    {
        return $this->request('POST', '/submit', [], [], Queue::withId($event), ...$options);
    }

    /**
     * Recommends products to a shopper.
     *
     * @param RecommendationRequest $question
     *
     * @return Recommendations
     *
     * @throws CartwheelException
     */
    public function recommend(array $question, mixed ...$options): array
    {
        return $this->request('POST', '/v1/recommendations', [], [], (object) $question, ...$options);
    }

    /**
     * Fills a placement for a shopper.
     *
     * @param PlacementRequest $question
     *
     * @return PlacementAnswer
     *
     * @throws CartwheelException
     */
    public function placement(string $name, array $question, mixed ...$options): array
    {
        $path = '/v1/placements/{name}';
        return $this->request('POST', $path, ['name' => $name], [], (object) $question, ...$options);
    }

    /**
     * Fills the placements of a page, without a product in two of them.
     *
     * @param PageRequest $question
     *
     * @return PageAnswer
     *
     * @throws CartwheelException
     */
    public function page(array $question, mixed ...$options): array
    {
        return $this->request('POST', '/v1/page', [], [], (object) $question, ...$options);
    }

    /** Returns the number of events that wait. */
    public function waiting(): int
    {
        return $this->queue->size();
    }

    /**
     * Sends every event that waits.
     *
     * @throws CartwheelException If the server cannot take them now. They wait on.
     */
    public function flush(): void
    {
        $this->queue->flush();
    }
}
