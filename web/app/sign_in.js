import { checkName } from '../sdk/index.js';
import { byId } from './dom.js';
import { rememberUser } from './identity.js';

/** Shows the first screen; calls `start(user)` when somebody gave a name. */
export function showSignIn(start) {
  byId('sign-in').hidden = false;
  const input = byId('name');
  input.focus();
  input.addEventListener('input', () => say(''));
  byId('sign-in-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const user = input.value.trim();
    const problem = checkName(user);
    say(problem);
    if (problem) {
      input.focus();
      return;
    }
    rememberUser(user, byId('token').value.trim());
    byId('sign-in').hidden = true;
    start(user);
  });
}

function say(problem) {
  byId('name-problem').textContent = problem;
  byId('name').toggleAttribute('aria-invalid', problem !== '');
}
