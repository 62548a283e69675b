/**
 * The JSON encoding (`vartalap.json`): builds the frames that a client writes and reads those of the server.
 * Nothing here keeps state.
 */
const version = 2.1;
const encoder = new TextEncoder();
const controlCharacter = /[\u0000-\u001f\u007f]/;

/** Bytes of `text` as UTF-8. */
export function byteLength(text) {
  return encoder.encode(text).length;
}

/** Text without lone surrogates, which are no UTF-8: they become U+FFFD. */
export function wellFormed(text) {
  return typeof text.toWellFormed === 'function' ? text.toWellFormed() : encoderRoundTrip(text);
}

function encoderRoundTrip(text) {
  return new TextDecoder().decode(encoder.encode(text));
}

/** Why `name` cannot be a user or group id, or '' when it can (1–128 bytes, no control characters, not `server`). */
export function checkName(name) {
  if (typeof name !== 'string' || name.length === 0) return 'A name is needed.';
  if (controlCharacter.test(name)) return 'A name cannot contain control characters.';
  if (byteLength(name) > 128) return 'A name has at most 128 bytes.';
  if (name === 'server') return 'The name “server” is reserved.';
  return '';
}

/** Why `text` is too long for one message of `limit` content bytes, or '' when it is not. */
export function checkMessageSize(text, limit) {
  const bytes = byteLength(JSON.stringify({ text: wellFormed(text) }));
  return bytes > limit ? `The message has ${bytes} bytes; ${limit} are allowed.` : '';
}

/** A chat message as an object; `kind` is `user` or `group`. */
export function messageFrame({ id, from, to, kind, text, createdAt }) {
  return {
    _v: version, id,
    head: {
      type: kind === 'group' ? 'group' : 'individual', from, to, contentType: 'text', action: 'message',
      category: 'message', ephemeral: false,
    },
    meta: { createdAt }, body: { text: wellFormed(text) },
  };
}

/** A receipt: the messages `ids` of `to` were delivered to, or read by, `from`. */
export function stateFrame({ id, from, to, ids, state, createdAt }) {
  return notification({ id, from, to, action: 'state', createdAt, body: { ids, state } });
}

/** Tells that `from` is typing (or stopped). Never stored by the server. */
export function typingFrame({ id, from, to, kind, typing, createdAt }) {
  const frame = notification({ id, from, to, action: 'typing', createdAt, body: { typing } });
  frame.head.ephemeral = true;
  if (kind === 'group') frame.head.type = 'group';
  return frame;
}

/**
 * What this device sent to `frame.head.to`, told to the user's other devices: the same content to oneself, as a
 * notification (it must raise no push), with the partner, kind and id of the original in meta.
 */
export function mirrorFrame(frame, id) {
  return {
    _v: version, id,
    head: { ...frame.head, type: 'individual', to: frame.head.from, contentType: 'notification', category: 'system' },
    meta: {
      ...frame.meta, mirrorTo: frame.head.to, mirrorId: frame.id,
      mirrorKind: frame.head.type === 'group' ? 'group' : 'user',
    },
    body: frame.body,
  };
}

/** Acknowledges exactly the messages with these server ids. */
export function clientAckFrame({ id, serverIds }) {
  const meta = serverIds.length === 1 ? { serverId: serverIds[0] } : { serverIds };
  return { _v: version, id, head: { type: 'individual', to: 'server', contentType: 'CLIENT_ACK' }, meta };
}

function notification({ id, from, to, action, createdAt, body }) {
  return {
    _v: version, id,
    head: { type: 'individual', from, to, contentType: 'notification', action, category: 'system', ephemeral: false },
    meta: { createdAt }, body,
  };
}

/**
 * Reads a frame of the server. Returns null for what is no frame, else
 * `{type: 'ack'|'error'|'delivery', id, …}`; a delivery has
 * `{from, to, kind, contentType, action, ephemeral, body, meta, serverId, serverTimestamp, createdAt}`.
 */
export function readFrame(text) {
  let raw;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  if (raw === null || typeof raw !== 'object' || typeof raw.head !== 'object' || raw.head === null) return null;
  const { head } = raw;
  const meta = isObject(raw.meta) ? raw.meta : {};
  const contentType = String(head.contentType ?? 'text').trim();
  const id = typeof raw.id === 'string' ? raw.id : '';
  if (head.from === 'server' && contentType === 'SERVER_ACK') {
    return {
      type: 'ack', id, status: raw.body?.status ?? 'stored', durability: raw.body?.durability ?? '',
      serverId: meta.serverId, serverTimestamp: meta.serverTimestamp,
    };
  }
  if (head.from === 'server' && contentType === 'ERROR') {
    return { type: 'error', id, code: String(raw.body?.code ?? 'unknown'), message: String(raw.body?.message ?? '') };
  }
  if (contentType.toUpperCase() === 'CLIENT_ACK' || typeof head.from !== 'string') return null;
  return {
    type: 'delivery', id, from: head.from, to: String(head.to ?? ''), contentType: contentType.toLowerCase(),
    kind: String(head.type).toUpperCase() === 'GROUP' ? 'group' : 'user', action: String(head.action ?? 'message'),
    ephemeral: head.ephemeral === true, body: raw.body, meta, serverId: meta.serverId,
    serverTimestamp: meta.serverTimestamp, createdAt: validTime(meta.createdAt) ?? validTime(meta.serverTimestamp),
  };
}

/** What a person reads of a message's content, whatever program sent it. */
export function bodyText(body) {
  if (typeof body === 'string') return body;
  if (isObject(body) && typeof body.text === 'string') return body.text;
  return JSON.stringify(body ?? null);
}

/** `value` where it is a time that a calendar can show, else undefined. */
function validTime(value) {
  return typeof value === 'number' && value > 0 && value <= 8.64e15 ? value : undefined;
}

function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
