<?php

declare(strict_types=1);

namespace Cartwheel;

/**
 * Events that wait to be sent. Each has an id before its first attempt and keeps it.
 *
 * @internal
 *
 * @phpstan-import-type Event from Schema
 */
final class Queue
{
    private const MOST_BATCH = 500;
    private const LEAST_PAUSE = 0.5;
    private const MOST_PAUSE = 30.0;

    private readonly int $batchSize;
    /** @var list<Event> */
    private array $events = [];
    private bool $isSending = false;
    /** When what waits is due, in seconds of the monotonic clock. */
    private float $due = 0.0;
    private float $pause = 0.0;

    /** @param (\Closure(Event, string): void)|null $onLost */
    public function __construct(
        private readonly Transport $transport,
        private readonly int $maxQueue,
        int $batchSize,
        private readonly float $interval,
        private readonly ?\Closure $onLost,
    ) {
        $this->batchSize = max(1, min($batchSize, self::MOST_BATCH));
    }

    /**
     * @param Event $event
     *
     * @return Event
     */
    public static function withId(array $event): array
    {
        return ['event_id' => $event['event_id'] ?? bin2hex(random_bytes(16))] + $event;
    }

    public function size(): int
    {
        return count($this->events);
    }

    /** @param Event $event */
    public function put(array $event): bool
    {
        if (count($this->events) >= $this->maxQueue) {
            $this->lose($event, 'the queue is full');
            return false;
        }
        // It would take the others of its request with it.
        if (json_encode($event) === false) {
            $this->lose($event, 'it is not JSON: ' . json_last_error_msg());
            return false;
        }
        if ($this->events === [] && $this->pause === 0.0) {
            $this->due = self::now() + $this->interval;
        }
        $this->events[] = self::withId($event);
        $isFull = count($this->events) >= $this->batchSize && $this->pause === 0.0;
        if (!$this->isSending && ($isFull || self::now() >= $this->due)) {
            try {
                $this->flush();
            } catch (CartwheelException) {
                // They wait on, and a page is not held up by each of its events.
            }
        }
        return true;
    }

    /** Sends everything that waits; see `Cartwheel::flush`. */
    public function flush(): void
    {
        $this->isSending = true;
        try {
            while (($batch = array_slice($this->events, 0, $this->batchSize)) !== []) {
                $again = $this->send($batch);
                array_splice($this->events, 0, count($batch), $again);
                if ($again !== []) {
                    throw new CartwheelException(count($again) . ' events could not be stored yet', 503);
                }
            }
            $this->pause = 0.0;
        } catch (CartwheelException $error) {
            $this->pause = min(2 * max($this->pause, $this->interval, self::LEAST_PAUSE), self::MOST_PAUSE);
            $this->due = self::now() + $this->pause;
            throw $error;
        } finally {
            $this->isSending = false;
        }
    }

    /** Sends everything that waits, for the last time. */
    public function end(): void
    {
        try {
            $this->flush();
        } catch (CartwheelException $error) {
            $events = $this->events;
            $this->events = [];
            foreach ($events as $event) {
                $this->lose($event, $error->getMessage());
            }
        }
    }

    /**
     * Sends events and returns those that have to be sent again.
     *
     * @param list<Event> $batch
     *
     * @return list<Event>
     */
    private function send(array $batch): array
    {
        try {
            $records = $this->transport->request('POST', '/v1/events', body: $batch)['records'] ?? [];
        } catch (CartwheelException $error) {
            // A wrong key is no reason to lose events.
            if ($error->isPassing() || in_array($error->status, [401, 403], true)) {
                throw $error;
            }
            foreach ($batch as $event) {
                $this->lose($event, $error->getMessage());
            }
            return [];
        }
        $again = [];
        foreach ($batch as $at => $event) {
            $problem = $records[$at]['error'] ?? null;
            if ($problem === null) {
                continue;
            }
            if ((new CartwheelException($problem['title'], $problem['status']))->isPassing()) {
                $again[] = $event;
            } else {
                $this->lose($event, $problem['detail'] ?? $problem['title']);
            }
        }
        return $again;
    }

    /** @param Event $event */
    private function lose(array $event, string $why): void
    {
        if ($this->onLost !== null) {
            ($this->onLost)($event, $why);
        }
    }

    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }
}
