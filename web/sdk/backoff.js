/** When to connect again: the close-code table of the protocol and the growing wait of a lost connection. */
const refusals = new Set([1002, 1003, 1007, 1009]);
const firstWait = 500;
const longestWait = 30_000;

/**
 * What a close means: `{action, wait}`.
 * action: `retry`, `renew` (retry with a new token), `replaced` or `refused` (both: do not reconnect).
 * wait: milliseconds that the server asks for, or undefined.
 */
export function closeAction(code, reason) {
  if (code === 4009) return { action: 'replaced' };
  if (refusals.has(code)) return { action: 'refused' };
  return { action: code === 4001 ? 'renew' : 'retry', wait: retryAfter(reason) };
}

function retryAfter(reason) {
  const match = /(?:^|[^a-z_])retry_after_ms=(\d{1,9})/.exec(String(reason ?? ''));
  return match ? Number(match[1]) : undefined;
}

/** Milliseconds before attempt number `attempt` (from 0): 0.5 s doubling to 30 s, the upper half of it by chance. */
export function backoff(attempt, random) {
  const full = Math.min(longestWait, firstWait * 2 ** Math.min(attempt + 1, 16));
  return Math.max(firstWait, Math.round(full * (0.5 + 0.5 * random())));
}
