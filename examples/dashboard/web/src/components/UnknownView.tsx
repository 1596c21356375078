/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* An address that the page does not have. */
export function UnknownView(props: { path: string }) {
  return (
    <section class="notice">
      <h1>No such page</h1>
      <p>
        Nothing is at <code>{props.path}</code>. <a href="/training">All sessions</a>
      </p>
    </section>
  );
}
