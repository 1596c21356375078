/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The button between dark and light. */
import { theme, toggleTheme } from "../state/theme";

export function ThemeToggle() {
  const other = theme.value === "dark" ? "light" : "dark";
  return (
    <button type="button" class="quiet" onClick={toggleTheme} aria-label={`Use the ${other} theme`} title={`Use the ${other} theme`}>
      {other === "light" ? "☀" : "☾"}
    </button>
  );
}
