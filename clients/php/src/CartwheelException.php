<?php

declare(strict_types=1);

namespace Cartwheel;

/**
 * A request that the server refused, or that has no answer.
 *
 * @phpstan-import-type Problem from Schema
 */
final class CartwheelException extends \RuntimeException
{
    /**
     * @param int $status That of the answer, 0 without one.
     * @param Problem|null $problem What is wrong, and with which field.
     * @param int|null $retryAfter Seconds to wait before the next attempt, if the server said so.
     */
    public function __construct(
        string $message,
        public readonly int $status = 0,
        public readonly ?array $problem = null,
        public readonly ?int $retryAfter = null,
    ) {
        parent::__construct($message, $status);
    }

    /** Tells whether the same request may succeed later. */
    public function isPassing(): bool
    {
        return in_array($this->status, [0, 408, 429], true) || $this->status >= 500;
    }
}
