// Runs before the page is drawn, so that a chosen theme does not flash.
try { const theme = localStorage.getItem("hutch-theme"); if (theme) document.documentElement.dataset.theme = theme; } catch { /* none kept */ }
