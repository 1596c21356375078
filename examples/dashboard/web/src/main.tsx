/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Starts the page. */
import { render } from "preact";
import { App } from "./components/App";
import { takeTokenFromAddress } from "./state/access";
import { startClock } from "./state/clock";
import { startLive } from "./state/live";
import { startRouting } from "./state/route";
import { startTheme } from "./state/theme";
import "uplot/dist/uPlot.min.css";
import "./style/theme.css";
import "./style/page.css";
import "./style/session.css";
import "./style/chart.css";

async function start(): Promise<void> {
  startTheme();
  startRouting();
  startClock();
  await takeTokenFromAddress();
  startLive();
  const root = document.getElementById("app");
  if (root) render(<App />, root);
}

void start();
