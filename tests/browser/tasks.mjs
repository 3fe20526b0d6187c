// Five things that people do all day, each counted in clicks and keys and timed. `UPDATE_DOCS=1`
// writes the figures down in docs/TASKS.md.
//
// Seconds of the machine say how long the program lets one wait. What a person needs besides is
// reckoned by the keystroke-level model (Card, Moran and Newell, 1980).

import { writeFileSync } from 'node:fs';

/** Seconds of the keystroke-level model: a key, a click with pointing, a look before each step. */
const KEY_S = 0.28;
const CLICK_S = 1.1;
const LOOK_S = 1.35;
const DOCS = new URL('../../docs/TASKS.md', import.meta.url);

/** A person at a page: counts what hands do. */
class Person {
    constructor(page) {
        this.page = page;
        this.clicks = 0;
        this.keys = 0;
        this.steps = 0;
    }

    async click(target) {
        this.clicks += 1;
        this.steps += 1;
        await this.page.locator(target).first().click();
    }

    async type(target, text) {
        this.keys += text.length;
        this.steps += 1;
        await this.page.locator(target).first().pressSequentially(text);
    }

    async press(key) {
        this.keys += 1;
        await this.page.keyboard.press(key);
    }

    async choose(target, value) {
        this.clicks += 2;
        this.steps += 1;
        await this.page.locator(target).first().selectOption(value);
    }

    async sees(target, text) {
        await this.page.locator(target, { hasText: text }).first().waitFor();
    }

    human() {
        return this.keys * KEY_S + this.clicks * CLICK_S + this.steps * LOOK_S;
    }
}

export async function tasks(page, world, { lin, anna }) {
    const customer = lin('create', 'customer', 'company_name=Northern Windparks', 'phone=+44 113 496 0101').record;
    const deal = lin('create', 'opportunity', 'name=Gearbox service', `customer_id=${customer}`,
        'sales_stage=proposal', 'expected_amount=120000 GBP').record;
    const disputed = lin('create', 'customer', 'company_name=Harbour Cranes').record;
    for (let number = 1; number <= 40; number += 1) {
        lin('create', 'customer', `company_name=Company ${number}`);
    }
    lin('sync');
    anna('sync');
    lin('edit', disputed, 'email=lin@harbour.example');
    anna('edit', disputed, 'email=anna@harbour.example');
    lin('sync');
    anna('sync');

    const figures = [];

    const task = (name, steps) => ({
        name,
        run: async () => {
            await page.goto(world.address);
            const person = new Person(page);
            const begun = performance.now();
            await steps(person);
            const machine = (performance.now() - begun) / 1000;
            figures.push({ name, person, machine });
            if (figures.length === 5 && process.env.UPDATE_DOCS === '1') write(figures);
            return `${person.clicks} clicks, ${person.keys} keys, ${machine.toFixed(1)} s of the machine, `
                + `about ${person.human().toFixed(0)} s of a person`;
        },
    });
    return [
        task('find a customer by part of the name', async (person) => {
            await person.click('#menu a[href="/records/customer"]');
            await person.type('#q', 'windp');
            await person.press('Enter');
            await person.click('td a:text("Northern Windparks"), th a:text("Northern Windparks")');
            await person.sees('h1', 'Northern Windparks');
        }),
        task('log a call', async (person) => {
            await person.click('#menu a[href="/records/interaction"]');
            await person.click('.head a.primary');
            await person.type('[id="f.subject"]', 'Asked about the offer');
            await person.type('[id="f.customer_id"]', 'Northern Windp');
            await page.waitForFunction(() => document.getElementById('f.customer_id.list').options.length > 0);
            // Choosing a suggestion puts its whole name into the box, as a click in the list does.
            person.clicks += 1;
            await page.locator('[id="f.customer_id"]').fill('Northern Windparks');
            await person.choose('[id="f.channel"]', 'call');
            await page.locator('[id="f.occurred_at"]').fill('2026-11-23T10:00');
            person.keys += 12;
            await person.click('form.edit button.primary');
            await person.sees('h1', 'Asked about the offer');
        }),
        task('move a deal', async (person) => {
            await person.click('#menu a[href="/records/opportunity"]');
            await person.click('th a:text("Gearbox service"), td a:text("Gearbox service")');
            await person.click('.head a.primary');
            await person.choose('[id="f.sales_stage"]', 'negotiation');
            await person.click('form.edit button.primary');
            await person.sees('[data-live=sales_stage]', 'Negotiation');
        }),
        task('settle a conflict', async (person) => {
            await person.click('main a:text("Harbour Cranes")');
            await person.click('.dispute li:has-text("anna@harbour.example") button');
            await person.sees('[data-live=email]', 'anna@harbour.example');
        }),
        task('see what a rep did today', async (person) => {
            await person.click('a.brand');
            await person.sees('main h3', 'Lin Xiao');
            await person.sees('main td a', 'Gearbox service');
        }),
    ];
}

function write(figures) {
    const rows = figures.map(({ name, person, machine }) =>
        `| ${name} | ${person.clicks} | ${person.keys} | ${machine.toFixed(1)} | ${person.human().toFixed(0)} |`);
    writeFileSync(DOCS, `# Five tasks at the office pages

Made by \`UPDATE_DOCS=1 tests/browser/run\`, with Chromium at 1280 pixels, a server with some 50 customers
and a change log of the same hour. *Machine* is how long the program let one wait, from the first click
on the page of today to the last word on the screen. *Person* adds what hands and eyes need, reckoned by the
keystroke-level model: ${KEY_S} s a key, ${CLICK_S} s a click, ${LOOK_S} s a look before each step.

| task | clicks | keys | machine, s | person, s |
|---|---:|---:|---:|---:|
${rows.join('\n')}
`);
}
