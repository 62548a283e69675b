const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const fullDay = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const shortDay = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

/** A name for the day, the same for all times of one day. */
export function dayKey(ms) {
  const date = new Date(ms);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

function daysAgo(ms, now) {
  const midnight = (value) => new Date(value).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(ms)) / 86_400_000);
}

export function formatTime(ms) {
  return time.format(ms);
}

/** Heading of a day in a conversation. */
export function formatDay(ms, now = Date.now()) {
  const days = daysAgo(ms, now);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days > 1 && days < 7) return weekday.format(ms);
  return new Date(ms).getFullYear() === new Date(now).getFullYear() ? longDay.format(ms) : fullDay.format(ms);
}

/** A short time for a list. */
export function formatListTime(ms, now = Date.now()) {
  const days = daysAgo(ms, now);
  if (days === 0) return formatTime(ms);
  return days === 1 ? 'Yesterday' : shortDay.format(ms);
}

export function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}

const statusWords = {
  queued: 'waiting to be sent', sent: 'sent', delivered: 'delivered', read: 'read', failed: 'not sent',
};

export function statusWord(status) {
  return statusWords[status] ?? status;
}

const refusals = {
  forbidden: 'this person does not take messages from you',
  mailbox_full: 'their mailbox is full',
  too_large: 'the message is too long',
  bad_frame: 'the server could not read it',
  id_reused: 'the server has another message under the same id',
  unknown_group: 'there is no such group',
  not_a_member: 'you are not a member of this group',
};

/** Why a message was refused, in words. */
export function refusalWords(error) {
  return refusals[error?.code] ?? (error?.message || 'the server refused it');
}
