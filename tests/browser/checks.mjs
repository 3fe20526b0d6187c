// What people do at the office pages, done by a real browser in both languages and at two widths.
// Prints a line for each check, then `N passed, N failed`; ends with 1 if one failed.

import axe from 'axe-core';
import { World } from './world.mjs';
import { tasks } from './tasks.mjs';

const VIEWS = [
    { language: 'en', width: 1280 },
    { language: 'zh', width: 1280 },
    { language: 'en', width: 390 },
    { language: 'zh', width: 390 },
];
/** Milliseconds from the server's answer to a device until an open page shows the edit. */
const NEWS_MS = 1_000;
/** Milliseconds for a page to show something. */
const PATIENCE_MS = 10_000;

let passed = 0;
let failed = 0;

async function check(name, run) {
    try {
        const said = await run();
        passed += 1;
        console.log(`ok    ${name}${said ? `: ${said}` : ''}`);
    } catch (error) {
        failed += 1;
        console.log(`FAIL  ${name}: ${error.message.split('\n').slice(0, 6).join(' | ')}`);
    }
}

export function must(holds, words) {
    if (!holds) throw new Error(words);
}

const world = await World.start();
try {
    const lin = world.device('Lin Xiao');
    const anna = world.device('Anna Foster');
    for (const view of VIEWS) {
        await checkView(view, { lin, anna });
    }
    // One session for the rest: attempts with one login are rationed, as they should be.
    const desk = await world.page({ language: 'en', width: 1280 });
    await desk.goto(world.address);
    await signIn(desk, world.password);
    await checkEveryEntity(desk);
    await checkDevices(desk);
    for (const task of await tasks(desk, world, { lin, anna })) {
        await check(`task: ${task.name}`, task.run);
    }
} finally {
    await world.stop();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function checkView(view, { lin, anna }) {
    const named = (name) => `[${view.language} ${view.width}] ${name}`;
    const page = await world.page(view);
    page.setDefaultTimeout(PATIENCE_MS);
    const company = `${view.language === 'zh' ? '华东泵业' : 'Acme Pumps'} ${view.width}`;
    let record;

    await check(named('a wrong password is refused'), async () => {
        await page.goto(world.address);
        must(page.url().includes('/sign-in'), `at ${page.url()}`);
        await signIn(page, 'not the password');
        await page.locator('[role=alert]').waitFor();
        // The refusal itself is an answer that browsers note on the console.
        page.faults = page.faults.filter((fault) => !/status of 4\d\d/.test(fault));
    });
    await check(named('sign in'), async () => {
        await signIn(page, world.password);
        await page.locator('form.sign-out').waitFor();
        const language = await page.locator('html').getAttribute('lang');
        must(language.startsWith(view.language), `the page is in ${language}`);
    });
    await check(named('create a customer'), async () => {
        await page.goto(`${world.address}/records/customer`);
        await page.locator('.head a.primary').click();
        await page.locator('[id="f.company_name"]').fill(company);
        await page.locator('[id="f.phone"]').fill('+86 21 6000 0000');
        await page.locator('form.edit button.primary').click();
        // Every view has a customer with this number: the page asks whether it is another one.
        const made = page.locator('h1', { hasText: company });
        const asked = page.locator('[name=anyway]');
        await made.or(asked).first().waitFor();
        if (await asked.count() > 0) await asked.first().click();
        await made.waitFor();
        record = page.url().match(/records\/customer\/([0-9a-f-]{36})/)[1];
    });
    await check(named('what does not fit is said beside the field, and nothing typed is lost'), async () => {
        await page.goto(`${world.address}/records/customer/${record}/edit`);
        await page.locator('[id="f.short_name"]').fill('kept');
        await page.locator('[id="f.email"]').fill('not an address');
        await page.locator('form.edit button.primary').click();
        await page.locator('.field:has([id="f.email"]) p.wrong').waitFor();
        must(await page.locator('[id="f.short_name"]').inputValue() === 'kept', 'the short name is gone');
        must(await page.locator('[id="f.email"]').inputValue() === 'not an address', 'the address is gone');
        await page.locator('[id="f.email"]').fill('office@acme.example');
        await page.locator('form.edit button.primary').click();
        await page.locator('[data-live=email]', { hasText: 'office@acme.example' }).waitFor();
        page.faults = page.faults.filter((fault) => !/status of 4\d\d/.test(fault));
    });
    await check(named("a device's edit appears on the open page"), async () => {
        const took = [];
        lin('sync');
        for (let turn = 1; turn <= 3; turn += 1) {
            const value = `seen ${turn}`;
            lin('edit', record, `short_name=${value}`);
            const shown = page.locator('[data-live=short_name]', { hasText: value }).waitFor();
            lin('sync');
            const answered = performance.now();
            await shown;
            took.push(Math.round(performance.now() - answered));
        }
        const median = took.sort((left, right) => left - right)[1];
        must(median <= NEWS_MS, `${median} ms`);
        return `${median} ms after the device had its answer`;
    });
    await check(named('what is being typed stays when news arrives'), async () => {
        await page.goto(`${world.address}/records/customer/${record}/edit`);
        await page.locator('[id="f.website"]').fill('https://typed.example');
        lin('edit', record, 'short_name=meanwhile');
        lin('sync');
        await page.locator('#news', { hasText: /\S/ }).waitFor();
        must(await page.locator('[id="f.website"]').inputValue() === 'https://typed.example', 'it is gone');
        await page.locator('form.edit button.primary').click();
        await page.locator('[data-live=short_name]', { hasText: 'meanwhile' }).waitFor();
        await page.locator('[data-live=website]', { hasText: 'typed.example' }).waitFor();
    });
    await check(named('the same field from two devices: both values, one is chosen, both devices have it'), async () => {
        anna('sync');
        lin('edit', record, 'phone=+86 21 6000 1111');
        anna('edit', record, 'phone=+86 21 6000 2222');
        lin('sync');
        anna('sync');
        await page.goto(`${world.address}/records/customer/${record}`);
        const dispute = page.locator('.dispute', { hasText: '6000 1111' });
        await dispute.waitFor();
        must(await dispute.locator('li').count() === 2, 'not two values');
        must(/Lin Xiao/.test(await dispute.textContent()), 'nobody is named');
        const choice = dispute.locator('li', { hasText: '6000 1111' }).locator('button');
        // By keyboard, as somebody without a mouse would.
        await choice.focus();
        await page.keyboard.press('Enter');
        await page.locator('.notice').waitFor();
        must(await page.locator('.dispute').count() === 0, 'there still is a conflict');
        for (const device of [lin, anna]) {
            device('sync');
            const held = device('get', record);
            must(held.phone === '+86 21 6000 1111', `a device has ${held.phone}`);
            must(!held.conflicts, 'a device still has a conflict');
        }
    });
    await check(named('the history says who changed what, from what, to what, when'), async () => {
        await page.goto(`${world.address}/records/customer/${record}/history`);
        const row = page.locator('tr', { hasText: '6000 2222' }).first();
        await row.waitFor();
        const text = await page.locator('main').textContent();
        for (const wanted of ['Anna Foster', 'Lin Xiao', 'Administrator', '+86 21 6000 0000']) {
            must(text.includes(wanted), `${wanted} is not in the history`);
        }
        must(await page.locator('main time').count() > 4, 'no times');
    });
    await check(named('text that looks like a program is only text'), async () => {
        const sly = '<img src=x onerror="document.title=1"><script>alert(1)</script>';
        lin('edit', record, `short_name=${sly}`);
        lin('sync');
        await page.goto(`${world.address}/records/customer/${record}`);
        await page.locator('[data-live=short_name]', { hasText: '<script>' }).waitFor();
        must(await page.locator('main img').count() === 0, 'an image came of it');
    });
    await check(named('keyboard: the first stop skips to the content'), async () => {
        await page.goto(`${world.address}/records/customer`);
        await page.keyboard.press('Tab');
        must(await page.evaluate(() => document.activeElement.className) === 'skip', 'no skip link');
        await page.keyboard.press('Enter');
        must(await page.evaluate(() => document.activeElement.id) === 'main', 'not at the content');
    });
    let imported;
    await check(named('a file is brought, tried, imported, found by its pinyin, and taken back'), async () => {
        const name = `长河仪表${view.width}${view.language}`;
        await page.goto(`${world.address}/import`);
        await page.locator('#file').setInputFiles({
            name: '客户.csv', mimeType: 'text/csv', buffer: Buffer.from(`编号,公司名称,城市\n${name},${name},重庆\n`),
        });
        await page.locator('form[enctype] button').click();
        imported = new URL(page.url()).pathname;
        await page.locator('button[value=try]').click();
        await page.locator('.figures dd').first().waitFor();
        await page.locator('button[value=import]').click();
        await page.locator('form[action$="/undo"]').waitFor();
        await page.keyboard.press('/');
        await page.keyboard.type('changheyibiao');
        await page.keyboard.press('Enter');
        await page.locator('main mark').first().waitFor();
        must((await page.locator('main').textContent()).includes(name), 'it is not found');
        await page.goto(world.address + imported);
        await page.locator('form[action$="/undo"] button').click();
        await page.locator('.notice').waitFor();
        await page.goto(`${world.address}/search?q=${encodeURIComponent(name)}`);
        must(await page.locator('main mark').count() === 0, 'it is found after it was taken back');
    });
    const pages = {
        import: '/import', 'an import': imported, search: `/search?q=${encodeURIComponent(company)}`,
        duplicates: '/duplicates',
        today: '/', list: '/records/customer', record: `/records/customer/${record}`,
        form: `/records/customer/${record}/edit`, 'a form with rows': '/records/sales_order/new',
        history: `/records/customer/${record}/history`,
        devices: '/devices', pipeline: '/reports/pipeline',
    };
    for (const [name, path] of Object.entries(pages)) {
        await check(named(`${name}: fits the width, and nothing that a screen reader would miss`), async () => {
            await page.goto(world.address + path);
            const beyond = await page.evaluate(() =>
                document.documentElement.scrollWidth - document.documentElement.clientWidth);
            must(beyond <= 0, `${beyond} pixels wider than the screen`);
            const faults = await accessibility(page);
            must(faults.length === 0, faults.join('; '));
        });
    }
    await check(named('no error on the console, no policy violation, no other host asked'), () => {
        must(page.faults.length === 0, page.faults.slice(0, 3).join('; '));
    });
    await check(named('sign out'), async () => {
        await page.locator('form.sign-out button').click();
        await page.goto(`${world.address}/records/customer`);
        must(page.url().includes('/sign-in'), `at ${page.url()}`);
    });
    await page.context().close();
}

/** Every entity has a list and a form that opens and saves nothing by itself. */
async function checkEveryEntity(page) {
    const lists = await page.locator('#menu a[href^="/records/"]').evaluateAll(
        (links) => links.map((link) => link.getAttribute('href')));
    for (const list of lists) {
        await check(`list and form of ${list}`, async () => {
            await page.goto(world.address + list);
            must(await page.locator('h1').count() === 1, 'no heading');
            await page.goto(`${world.address}${list}/new`);
            must(await page.locator('form.edit').count() === 1, 'no form');
            const faults = await accessibility(page);
            must(faults.length === 0, faults.join('; '));
        });
    }
    await check('every entity without an error on the console', () => {
        must(page.faults.length === 0, page.faults.slice(0, 3).join('; '));
    });
}

/** A code made on a page lets a real device in. */
async function checkDevices(page) {
    await check('a code from the devices page lets a device in', async () => {
        await page.goto(`${world.address}/devices`);
        await page.locator('main input[name=user]').fill('Wei Qiang');
        await page.locator('main input[name=at_once]').check();
        await page.locator('main form button.primary').click();
        const picture = page.locator('main svg, main img.qr');
        await picture.first().waitFor();
        const code = (await page.locator('main').textContent()).match(/enroll \S+ (\S+)/)[1];
        const wei = world.enrolled('Wei Qiang', code);
        wei('sync');
        await page.goto(`${world.address}/devices`);
        await page.locator('tr', { hasText: 'Wei Qiang' }).first().waitFor();
    });
}

async function accessibility(page) {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() =>
        window.axe.run(document, { resultTypes: ['violations'] }));
    return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id} (${nodes.length}): ${nodes[0].html.slice(0, 120)}`);
}

export async function signIn(page, password) {
    await page.locator('#login').fill('admin');
    await page.locator('#password').fill(password);
    await page.locator('.sign-in button.primary').click();
    await page.waitForLoadState();
}
