// The pictures of the README, taken from the company of `outrider demo`: the real server, and what
// three real devices did offline.

import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const PROGRAM = process.env.OUTRIDER_BIN;
const PICTURES = new URL('../../docs/pictures/', import.meta.url).pathname;
/** Milliseconds for the demo to tell its story. */
const DEMO_MS = 300_000;

mkdirSync(PICTURES, { recursive: true });
const folder = mkdtempSync(path.join(tmpdir(), 'outrider-pictures-'));
const demo = spawn(PROGRAM, ['--language', 'en', 'demo', '--dir', folder, '--seed', '42'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
let browser;
try {
    const { page: visit, password } = await told();
    const { origin } = new URL(visit);
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM,
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
            '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const view = async (language, width, height) => {
        const context = await browser.newContext({
            viewport: { width, height }, deviceScaleFactor: 1.5,
            locale: language === 'zh' ? 'zh-CN' : 'en-GB', timezoneId: 'Asia/Shanghai',
        });
        const page = await context.newPage();
        await page.goto(origin);
        await page.locator('#login').fill('admin');
        await page.locator('#password').fill(password);
        await page.locator('.sign-in button.primary').click();
        await page.locator('form.sign-out').waitFor();
        return page;
    };
    const take = async (page, address, name) => {
        await page.goto(new URL(address, origin).href);
        await page.locator('h1').first().waitFor();
        await page.screenshot({ path: path.join(PICTURES, `${name}.png`) });
        console.log(`docs/pictures/${name}.png`);
    };
    const wide = await view('en', 1280, 800);
    await take(wide, '/', 'today');
    await take(wide, '/reports/pipeline', 'pipeline');
    await wide.goto(origin);
    const disputed = await wide.locator('aside section').first().locator('a[href^="/records/"]').first().getAttribute('href');
    await take(wide, disputed, 'conflict');
    await take(wide, `${new URL(visit).pathname}/history`, 'history');
    const chinese = await view('zh', 1280, 800);
    await take(chinese, visit, 'visit-zh');
    const phone = await view('zh', 390, 844);
    await take(phone, visit, 'visit-phone-zh');
} finally {
    await browser?.close();
    demo.kill('SIGINT');
    await new Promise((resolve) => (demo.exitCode === null ? demo.once('exit', resolve) : resolve()));
    rmSync(folder, { recursive: true, force: true });
}

/** Waits for the demo's last line: the page to look at and how to sign in. */
function told() {
    return new Promise((resolve, reject) => {
        let output = '';
        const timer = setTimeout(() => reject(new Error(`the demo takes too long: ${output}`)), DEMO_MS);
        demo.once('exit', (code) => reject(new Error(`the demo ended with ${code}: ${output}`)));
        demo.stdout.on('data', (data) => {
            output += data;
            const found = output.match(/open (http:\S+) and sign in as admin with the password (\S+)/);
            if (found) {
                clearTimeout(timer);
                resolve({ page: found[1], password: found[2] });
            }
        });
    });
}
