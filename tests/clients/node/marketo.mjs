// Stories told to the emulator with node-marketo-rest, unchanged. What came of each is printed as one JSON object;
// the contract test that starts this program says what it should be.
// TANDEM_ACCESS is the first line of the emulator; TANDEM_LIST, TANDEM_CAMPAIGN and TANDEM_PROGRAM are what a person made.
import Marketo from "node-marketo-rest";

const { url, client_id: clientId, client_secret: clientSecret, control_url: control } = JSON.parse(process.env.TANDEM_ACCESS);
const listId = Number(process.env.TANDEM_LIST);
const campaignId = Number(process.env.TANDEM_CAMPAIGN);
const programName = process.env.TANDEM_PROGRAM;
const marketo = new Marketo({
    endpoint: url + "/rest", identity: url + "/identity", clientId, clientSecret,
    retry: { maxRetries: 1, initialDelay: 10, maxDelay: 20 },
});
const wait = (seconds) => fetch(control + "/clock", { method: "POST", body: JSON.stringify({ advance_s: seconds }) });
const statuses = (answer) => answer.result.map((each) => each.status);
const refusal = async (promise) => {
    try {
        await promise;
        return null;
    } catch (error) {
        return error.errors.map((each) => each.code);
    }
};
const person = async (name, values = {}) =>
    (await marketo.lead.createOrUpdate([{ email: `${name}@node.example`, ...values }], { lookupField: "email" })).result[0].id;
const collected = (stream) => new Promise((resolve, reject) => {
    const rows = [];
    stream.on("data", (row) => rows.push(row)).on("end", () => resolve(rows)).on("error", reject);
});
const extracted = async (api, create) => {
    const made = (await create()).result[0];
    const queued = (await api.enqueue(made.exportId)).result[0];
    await wait(60);
    const done = await api.status(made.exportId);
    const file = await api.file(made.exportId);
    const spare = (await create()).result[0];
    const cancelled = (await api.cancel(spare.exportId)).result[0];
    return {
        steps: [made.status, queued.status, done.result[0].status, cancelled.status],
        size: Buffer.byteLength(file) === done.result[0].fileSize, header: String(file).split("\n")[0],
    };
};

const stories = {
    async leads() {
        const id = await person("lead", { firstName: "Ann" });
        const [byId] = (await marketo.lead.byId(id, { fields: ["firstName", "email"] })).result;
        const found = await marketo.lead.find("email", ["lead@node.example", "nobody@node.example"], { fields: ["id"] });
        const again = await marketo.lead.createOrUpdate([{ email: "lead@node.example" }], { action: "createOnly" });
        const missing = await refusal(marketo.lead.byId(999999));
        return { firstName: byId.firstName, same: found.result[0].id === id, again: statuses(again), missing };
    },
    async pages() {
        const ids = [];
        for (const name of ["a", "b", "c"]) ids.push(await person("page." + name));
        const first = await marketo.lead.find("id", ids, { fields: ["id"], batchSize: 2 });
        const second = await first.nextPage();
        return { sizes: [first.result.length, second.result.length], more: "nextPage" in second };
    },
    async more() {
        const [winner, loser] = [await person("winner"), await person("loser")];
        const cookie = "id:123-ABC-456&token:_mch-example.com-1450000000000-12345";
        const associated = (await marketo.lead.associateLead(winner, cookie)).success;
        const merged = (await marketo.lead.mergeLead(winner, [loser], { mergeInCRM: false })).success;
        const described = (await marketo.lead.describe()).result.some((each) => each.rest?.name === "email");
        const partition = (await marketo.lead.partitions()).result[0].name;
        const pushed = await marketo.lead.push([{ email: "push@node.example" }], { programName });
        return { associated, merged, described, partition, pushed: statuses(pushed) };
    },
    async lists() {
        const [one, two] = [await person("list.1"), await person("list.2")];
        const added = await marketo.list.addLeadsToList(listId, [one, { id: two }]);
        const mailed = await marketo.list.addEmailsToList(["list.3@node.example"], listId);
        const member = await marketo.list.isMember(listId, [one]);
        const leads = await marketo.list.getLeads(listId, { batchSize: 2 });
        const removed = await marketo.list.removeLeadsFromList(listId, [two]);
        const rest = await collected(marketo.streamify("list", "getLeads", [listId, { batchSize: 1 }]));
        return {
            added: statuses(added), mailed: statuses(mailed), member: statuses(member), page: leads.result.length,
            removed: statuses(removed), rest: rest.length,
            found: (await marketo.list.byId(listId)).result[0].id === listId,
            named: (await marketo.list.find({ name: ["Node"] })).result.length,
        };
    },
    async activities() {
        const token = (await marketo.lead.getPageToken("2020-01-01T00:00:00Z")).nextPageToken;
        const id = await person("activity");
        await person("activity", { city: "Rome" });
        const changes = (await marketo.lead.getChanges(token, { fields: ["city"], leadIds: id })).result;
        const found = (await marketo.lead.getActivities([id], [12, 13], token)).result;
        const ofList = await marketo.lead.getActivitiesForList(listId, [24], token);
        return {
            changes: changes.flatMap((each) => each.fields).map((each) => each.newValue),
            types: found.map((each) => each.activityTypeId), ofList: ofList.success,
            known: (await marketo.activities.getActivityTypes()).result.some((each) => each.id === 12),
        };
    },
    async campaigns() {
        const id = await person("campaign");
        const asked = await marketo.campaign.request(campaignId, [{ id }], [{ name: "{{my.x}}", value: "y" }]);
        const listed = (await marketo.campaign.getCampaigns({ id: campaignId })).result.some((each) => each.id === campaignId);
        return { asked: asked.success, listed };
    },
    async stats() {
        const sizes = [];
        for (const call of ["usage", "usageLast7Days", "errors", "errorsLast7Days"]) {
            sizes.push((await marketo.stats[call]()).result.length);
        }
        return { sizes };
    },
    async bulkLeads() {
        const createdAt = { startAt: "2026-01-01T00:00:00Z", endAt: "2026-01-31T00:00:00Z" };
        return extracted(marketo.bulkLeadExtract, () => marketo.bulkLeadExtract.create(["id", "email"], { createdAt }));
    },
    async bulkActivities() {
        const createdAt = { startAt: "2026-01-01T00:00:00Z", endAt: "2026-01-31T00:00:00Z" };
        return extracted(marketo.bulkActivityExtract, () => marketo.bulkActivityExtract.create({ createdAt }));
    },
};

const results = {};
for (const [name, tell] of Object.entries(stories)) {
    try {
        results[name] = await tell();
    } catch (error) {
        results[name] = { failed: String(error?.message ?? error), errors: error?.errors ?? null, stack: error?.stack };
    }
}
console.log(JSON.stringify(results));
