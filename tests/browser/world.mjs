// A small world for the browser: the real server as a process, devices as command-line programs,
// Chromium. Everything lives in one temporary folder and ends with it.

import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const PROGRAM = process.env.OUTRIDER_BIN;
/** Milliseconds for the server to say where it listens. */
const START_MS = 20_000;

export class World {
    static async start() {
        const world = new World();
        world.folder = mkdtempSync(path.join(tmpdir(), 'outrider-browser-'));
        world.data = path.join(world.folder, 'office');
        await world.startServer();
        world.browser = await chromium.launch({
            executablePath: process.env.CHROMIUM,
            args: [
                '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
                '--disable-background-networking', '--disable-component-update', '--disable-sync',
            ],
        });
        return world;
    }

    /** Starts the server; the first start tells the administrator's password, once. */
    async startServer(listen = '127.0.0.1:0') {
        this.server = spawn(
            PROGRAM,
            ['serve', '--data', this.data, '--listen', listen, '--stop-with-input', '--log', 'warn',
             '--requests-burst', '5000', '--requests-per-second', '1000',
             '--sign-ins-per-minute', '600'],
            { stdio: ['pipe', 'pipe', 'inherit'] },
        );
        let output = '';
        await new Promise((resolve, reject) => {
            const timer = setTimeout(
                () => reject(new Error(`the server does not start: ${output}`)), START_MS);
            this.server.on('exit', (code) => reject(new Error(`the server ended: ${code}`)));
            this.server.stdout.on('data', (data) => {
                output += data;
                this.address ??= output.match(/listening on (http:\/\/\S+)/)?.[1];
                this.password ??= output.match(/with the password (\S+)/)?.[1];
                if (this.address && this.password) {
                    clearTimeout(timer);
                    resolve();
                }
            });
        });
    }

    /** Enrols a device for a user; returns a function that runs one command on it. */
    device(user) {
        const { code } = run(['code', '--user', user, '--data', this.data, '--json']);
        return this.enrolled(user, code);
    }

    /** Enrols a device with a code that is there; returns a function that runs one command. */
    enrolled(user, code) {
        const home = path.join(this.folder, user.replaceAll(' ', '-'));
        const device = (...args) => run(['--home', home, '--json', ...args]);
        device('init');
        device('enroll', this.address, code, '--name', `${user}'s phone`);
        return device;
    }

    /** A page of its own, with a watch on everything that a good page never does. */
    async page({ width, language }) {
        const context = await this.browser.newContext({
            viewport: { width, height: width < 600 ? 844 : 900 },
            locale: language === 'zh' ? 'zh-CN' : 'en-GB',
            timezoneId: 'Asia/Shanghai',
        });
        const page = await context.newPage();
        page.faults = [];
        page.on('console', (message) => {
            if (['error', 'warning'].includes(message.type())) page.faults.push(message.text());
        });
        page.on('pageerror', (error) => page.faults.push(String(error)));
        page.on('request', (request) => {
            if (!request.url().startsWith(this.address) && !request.url().startsWith('data:')) {
                page.faults.push(`asks another host: ${request.url()}`);
            }
        });
        await page.addInitScript(() => {
            document.addEventListener('securitypolicyviolation', (event) => {
                console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`);
            });
        });
        return page;
    }

    async stop() {
        await this.browser?.close();
        this.server?.removeAllListeners('exit');
        this.server?.stdin.end();
        await new Promise((resolve) => {
            if (!this.server || this.server.exitCode !== null) return resolve();
            this.server.once('exit', resolve);
        });
        rmSync(this.folder, { recursive: true, force: true });
    }
}

/** Runs the program to its end and reads the JSON that it answers. */
export function run(args) {
    const text = execFileSync(PROGRAM, args, { encoding: 'utf8' });
    return text.trim() === '' ? null : JSON.parse(text);
}
