/** The colours that were chosen, before anything is drawn. Without a choice they follow the system. */
{
  const key = 'cancelpoint-colours'
  const root = document.documentElement
  let chosen = 'auto'
  try {
    chosen = localStorage.getItem(key) ?? 'auto'
  } catch {
    // Storage may be switched off: then the choice lasts as long as the page.
  }

  function show(colours) {
    if (colours === 'light' || colours === 'dark') root.dataset.colours = colours
    else delete root.dataset.colours
  }

  show(chosen)
  addEventListener('DOMContentLoaded', () => {
    const select = document.getElementById('theme')
    select.value = root.dataset.colours ?? 'auto'
    select.addEventListener('change', () => {
      show(select.value)
      try {
        localStorage.setItem(key, select.value)
      } catch {}
    })
  })
}
