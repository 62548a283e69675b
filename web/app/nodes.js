const kept = 'vartalap.nodes';

/**
 * The nodes of the cluster that serves this page: to which addresses the client may turn when this page's own node is
 * away, and their names. A server that does not tell them (it tells on loopback only) is the only node of its list.
 */
export class Nodes {
  #own;
  #names = new Map();

  /** `own`: the WebSocket address of the server that this page is of. */
  constructor(own) {
    this.#own = own;
    this.#take(read());
  }

  /** Addresses for the client, the own one first and the others in the order that follows it. */
  get urls() {
    const all = [...this.#names.keys()];
    const at = all.indexOf(this.#own);
    return at < 0 ? [this.#own] : [...all.slice(at), ...all.slice(0, at)];
  }

  /** The name of the node at this address; undefined where there is no other, so that no name is needed. */
  nameOf(url) {
    return this.#names.size > 1 ? this.#names.get(url) : undefined;
  }

  /** Asks the server. Without an answer what it said the last time is still true. */
  async ask() {
    let answer = null;
    try {
      const response = await fetch('nodes', { cache: 'no-store' });
      if (response.ok) answer = await response.json();
      else if (response.status !== 404) return;
    } catch {
      return;
    }
    this.#take(answer);
    write(answer);
  }

  /**
   * The list counts only where this page's own server is in it: who reached the page by another way (a proxy, a
   * forwarded port) does not reach the other nodes by these addresses.
   */
  #take(answer) {
    const nodes = Array.isArray(answer?.nodes) ? answer.nodes : [];
    const own = nodes.find((node) => sameServer(node.url, this.#own));
    this.#names = new Map(own ? nodes.map((node) => [node === own ? this.#own : node.url, node.name]) : []);
  }
}

/** localhost and 127.0.0.1 are one server by two names. */
function sameServer(one, other) {
  const byNumber = (url) => String(url).replace('//localhost:', '//127.0.0.1:');
  return byNumber(one) === byNumber(other);
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(kept));
  } catch {
    return null;
  }
}

function write(answer) {
  try {
    if (answer) localStorage.setItem(kept, JSON.stringify(answer));
    else localStorage.removeItem(kept);
  } catch {
    // A browser that keeps nothing asks again at the next start.
  }
}
