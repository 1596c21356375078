/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Asks for the token of a server that wants one. */
import { useState } from "preact/hooks";
import { explain, unlock } from "../state/access";
import { loadSessions } from "../state/sessions";
import { say } from "../state/toast";

export function TokenForm() {
  const [token, setToken] = useState("");
  const submit = (event: Event): void => {
    event.preventDefault();
    unlock(token.trim()).then(
      () => void loadSessions(),
      (error: unknown) => say("error", explain(error)),
    );
  };
  return (
    <form class="notice token" onSubmit={submit}>
      <h1>This server wants its token</h1>
      <p>It stands in the file that the server named when it started. A link that ends in #token=… opens the page at once.</p>
      <label>
        Token
        <input type="password" autocomplete="off" required value={token} onInput={(event) => setToken(event.currentTarget.value)} />
      </label>
      <button type="submit" class="main">
        Open
      </button>
    </form>
  );
}
