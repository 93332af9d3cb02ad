import './style.css'

let count = 0
const button = document.querySelector('#count')
button.addEventListener('click', () => {
  count += 1
  button.textContent = count
})
