/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The frame of every view, and which view is open. */
import { useEffect } from "preact/hooks";
import { locked } from "../state/access";
import { route } from "../state/route";
import { ModelsView } from "./ModelsView";
import { MonitorView } from "./MonitorView";
import { SessionsView } from "./SessionsView";
import { SessionView } from "./SessionView";
import { Toasts } from "./Toasts";
import { TokenForm } from "./TokenForm";
import { TopBar } from "./TopBar";
import { UnknownView } from "./UnknownView";

function View() {
  const at = route.value;
  switch (at.view) {
    case "sessions":
      return <SessionsView />;
    case "monitor":
      return <MonitorView />;
    case "models":
      return <ModelsView />;
    case "session":
      return <SessionView key={at.id} id={at.id} />;
    case "unknown":
      return <UnknownView path={at.path} />;
  }
}

export function App() {
  const view = route.value.view;
  useEffect(() => {
    if (view !== "session") document.title = "trainmon";
  }, [view]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <TopBar />
      <main id="main" tabIndex={-1}>
        {locked.value ? <TokenForm /> : <View />}
      </main>
      <Toasts />
    </>
  );
}
