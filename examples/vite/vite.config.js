// `npx vite examples/vite`: PHP pages with Vite's modules, styles and hot reloading. Takes the PHP that is there.
import { fastcgi } from 'express-fastcgi/vite'

const { FASTCGI_SERVER = 'auto' } = process.env

export default {
  plugins: [fastcgi({ server: FASTCGI_SERVER })],
  // What index.php asks for: there is no index.html in which Vite could look.
  build: { manifest: true, rolldownOptions: { input: 'src/main.js' } },
}
