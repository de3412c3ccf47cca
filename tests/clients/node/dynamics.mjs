// Stories told to the emulator with dynamics-web-api, unchanged. What came of each is printed as one JSON object;
// the contract test that starts this program says what it should be.
// TANDEM_URL and TANDEM_TOKEN name the organisation; NODE_EXTRA_CA_CERTS the authority that Node.js trusts.
import { DynamicsWebApi } from "dynamics-web-api";
import { randomUUID } from "node:crypto";

const serverUrl = process.env.TANDEM_URL + "/";
const api = new DynamicsWebApi({
    serverUrl,
    dataApi: { version: "9.2" },
    onTokenRefresh: async () => process.env.TANDEM_TOKEN,
    propagateErrors: true,
});
const label = (text) => ({
    "@odata.type": "Microsoft.Dynamics.CRM.Label",
    LocalizedLabels: [{ "@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", Label: text, LanguageCode: 1033 }],
});
const status = async (promise) => {
    try {
        await promise;
        return null;
    } catch (error) {
        return [error.status, error.code];
    }
};
const account = async (values = {}) =>
    api.create({ collection: "accounts", data: { name: "Node " + randomUUID(), ...values } });

const stories = {
    async rows() {
        const key = await account({ telephone1: "1" });
        const first = await api.retrieve({ collection: "accounts", key, select: ["telephone1"] });
        await api.update({ collection: "accounts", key, data: { telephone1: "2" } });
        await api.updateSingleProperty({ collection: "accounts", key, fieldValuePair: { fax: "3" } });
        const changed = await api.update({
            collection: "accounts", key, data: { description: "new" }, returnRepresentation: true,
            select: ["telephone1", "fax", "description"],
        });
        const stale = await status(api.update({
            collection: "accounts", key, data: { fax: "4" }, ifmatch: first["@odata.etag"],
        }));
        await api.deleteRecord({ collection: "accounts", key, property: "fax" });
        const cleared = await api.retrieve({ collection: "accounts", key, select: ["fax"] });
        await api.deleteRecord({ collection: "accounts", key });
        const gone = await status(api.retrieve({ collection: "accounts", key, select: ["fax"] }));
        const { telephone1, fax, description } = changed;
        return { telephone1, fax, description, stale, cleared: cleared.fax, gone };
    },
    async upsert() {
        const key = randomUUID();
        const made = await api.upsert({
            collection: "contacts", key, data: { lastname: "Upsert" }, returnRepresentation: true, select: ["lastname"],
        });
        const refused = await status(api.upsert({
            collection: "contacts", key, data: { lastname: "Again" }, ifnonematch: "*",
        }));
        return { same: made.contactid === key, refused };
    },
    async pages() {
        const first = await api.retrieveMultiple({
            collection: "contacts", select: ["fullname"], maxPageSize: 10, count: true,
        });
        const second = await api.retrieveMultiple({ collection: "contacts", maxPageSize: 10 }, first.oDataNextLink);
        const all = await api.retrieveAll({ collection: "contacts", select: ["fullname"] });
        const count = await api.count({ collection: "contacts" });
        const keys = new Set([...first.value, ...second.value].map((row) => row.contactid));
        return { size: first.value.length, both: keys.size, counted: first.oDataCount, count, all: all.value.length };
    },
    async expand() {
        const parent = await account();
        const contact = await api.create({
            collection: "contacts",
            data: { lastname: "Child", "parentcustomerid_account@odata.bind": `/accounts(${parent})` },
        });
        const row = await api.retrieve({
            collection: "contacts", key: contact, select: ["lastname", "_parentcustomerid_value"],
            expand: [{ property: "parentcustomerid_account", select: ["name"] }], includeAnnotations: "*",
        });
        return {
            expanded: row.parentcustomerid_account.accountid === parent,
            kind: row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"],
            formatted: row._parentcustomerid_value_Formatted === row.parentcustomerid_account.name,
        };
    },
    async fetch() {
        const fetchXml = '<fetch count="7"><entity name="lead"><attribute name="fullname"/></entity></fetch>';
        const page = await api.fetch({ collection: "leads", fetchXml, includeAnnotations: "*" });
        const all = await api.fetchAll({ collection: "leads", fetchXml, includeAnnotations: "*" });
        return { page: page.value.length, next: page.PagingInfo.nextPage, all: all.value.length,
            count: await api.count({ collection: "leads" }) };
    },
    async changes() {
        const start = await api.retrieveMultiple({ collection: "accounts", select: ["name"], trackChanges: true });
        const key = await account();
        const delta = await api.retrieveMultiple({ collection: "accounts" }, start.oDataDeltaLink);
        return { changed: delta.value.map((row) => row.accountid === key) };
    },
    async associations() {
        const [parent, contact] = [await account(), await api.create({ collection: "contacts", data: { lastname: "N" } })];
        await api.associate({
            collection: "accounts", primaryKey: parent, relationshipName: "contact_customer_accounts",
            relatedCollection: "contacts", relatedKey: contact,
        });
        const select = ["_parentcustomerid_value"];
        const linked = await api.retrieve({ collection: "contacts", key: contact, select });
        await api.disassociate({
            collection: "accounts", primaryKey: parent, relationshipName: "contact_customer_accounts", relatedKey: contact,
        });
        const freed = await api.retrieve({ collection: "contacts", key: contact, select });
        await api.associateSingleValued({
            collection: "accounts", primaryKey: parent, navigationProperty: "primarycontactid",
            relatedCollection: "contacts", relatedKey: contact,
        });
        const primary = await api.retrieve({ collection: "accounts", key: parent, select: ["_primarycontactid_value"] });
        await api.disassociateSingleValued({
            collection: "accounts", primaryKey: parent, navigationProperty: "primarycontactid",
        });
        return {
            linked: linked._parentcustomerid_value === parent, freed: freed._parentcustomerid_value,
            primary: primary._primarycontactid_value === contact,
        };
    },
    async members() {
        const list = await api.create({ collection: "lists", data: { listname: "From Node", createdfromcode: 2 } });
        const contact = await api.create({ collection: "contacts", data: { lastname: "Member" } });
        await api.associate({
            collection: "lists", primaryKey: list, relationshipName: "listcontact_association",
            relatedCollection: "contacts", relatedKey: contact,
        });
        const found = await api.retrieve({
            collection: "lists", key: list, select: ["listname"],
            expand: [{ property: "listcontact_association", select: ["lastname"] }],
        });
        return { members: found.listcontact_association.map((row) => row.lastname) };
    },
    async batch() {
        const mark = "Batch " + randomUUID();
        api.startBatch();
        api.create({ collection: "accounts", data: { name: mark }, contentId: "1" });
        api.create({
            collection: "contacts", data: { lastname: mark, "parentcustomerid_account@odata.bind": "$1" }, contentId: "2",
        });
        const [parent, contact] = await api.executeBatch();
        api.startBatch();
        api.retrieve({ collection: "contacts", key: contact, select: ["lastname", "_parentcustomerid_value"] });
        api.count({ collection: "accounts", filter: `name eq '${mark}'` });
        const [row, count] = await api.executeBatch();
        return { linked: row._parentcustomerid_value === parent, count: Number(count) };
    },
    async longFilter() {
        const names = Array.from({ length: 120 }, () => `name eq '${randomUUID()}'`);
        const found = await api.retrieveMultiple({
            collection: "accounts", select: ["name"], filter: names.join(" or "), count: true,
        });
        return { rows: found.value.length };
    },
    async messages() {
        const who = await api.callFunction({ name: "WhoAmI" });
        const lead = await api.create({ collection: "leads", data: { lastname: "Qualify", subject: "From Node" } });
        const made = await api.callAction({
            collection: "leads", key: lead, actionName: "Microsoft.Dynamics.CRM.QualifyLead",
            action: { CreateAccount: false, CreateContact: true, CreateOpportunity: false, Status: 3 },
        });
        return { who: Object.keys(who).includes("UserId"), made: made.value.map((row) => row["@odata.type"]) };
    },
    async definitions() {
        const name = "new_Node" + randomUUID().slice(0, 8);
        const data = {
            "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata",
            SchemaName: name, DisplayName: label("Node"), DisplayCollectionName: label("Nodes"),
            OwnershipType: "UserOwned", HasActivities: false, HasNotes: false, IsActivity: false,
            Attributes: [{
                "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
                SchemaName: "new_Name", IsPrimaryName: true, MaxLength: 100, DisplayName: label("Name"),
            }],
        };
        const entityKey = await api.createEntity({ data });
        const column = await api.createAttribute({ entityKey, data: {
            "@odata.type": "Microsoft.Dynamics.CRM.MoneyAttributeMetadata",
            SchemaName: "new_Price", PrecisionSource: 2, DisplayName: label("Price"),
        } });
        const castType = "Microsoft.Dynamics.CRM.MoneyAttributeMetadata";
        const before = await api.retrieveAttribute({ entityKey, attributeKey: column, castType });
        await api.updateAttribute({
            entityKey, castType, data: { ...before, DisplayName: label("Cost") }, mergeLabels: true,
        });
        const after = await api.retrieveAttribute({ entityKey, attributeKey: column, castType });
        const table = await api.retrieveEntity({ key: entityKey, select: ["LogicalName", "EntitySetName"] });
        const tables = await api.retrieveEntities({ select: ["LogicalName"], filter: "IsCustomEntity eq true" });
        const columns = await api.retrieveAttributes({ entityKey, select: ["LogicalName"], filter: "IsPrimaryName eq true" });
        await api.updateEntity({ data: { ...data, MetadataId: entityKey, DisplayName: label("Renamed") }, mergeLabels: true });
        const renamed = await api.retrieveEntity({ key: entityKey, select: ["DisplayName"] });
        const row = await api.create({ collection: table.EntitySetName, data: { new_name: "x", new_price: 12.5 } });
        const found = await api.retrieve({ collection: table.EntitySetName, key: row, select: ["new_price"] });
        await api.deleteRecord({ collection: "EntityDefinitions", key: entityKey });
        return {
            set: table.EntitySetName === name.toLowerCase() + "s", listed: tables.value.length > 0,
            columns: columns.value.map((one) => one.LogicalName), price: found.new_price,
            type: after.AttributeTypeName.Value, label: after.DisplayName.UserLocalizedLabel.Label,
            renamed: renamed.DisplayName.UserLocalizedLabel.Label,
            gone: await status(api.retrieveEntity({ key: entityKey })),
        };
    },
    async relationships() {
        const name = "new_account_task_" + randomUUID().slice(0, 8);
        const key = await api.createRelationship({ data: {
            "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
            SchemaName: name, ReferencedEntity: "account", ReferencedAttribute: "accountid", ReferencingEntity: "lead",
            Lookup: {
                "@odata.type": "Microsoft.Dynamics.CRM.LookupAttributeMetadata",
                SchemaName: name + "_id", DisplayName: label("Account"),
            },
        } });
        const castType = "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata";
        const found = await api.retrieveRelationship({ key, castType });
        await api.updateRelationship({ data: {
            ...found, CascadeConfiguration: { ...found.CascadeConfiguration, Delete: "Restrict" },
        }, castType });
        const changed = await api.retrieveRelationship({ key, castType });
        const listed = await api.retrieveRelationships({ castType, select: ["SchemaName"], filter: `SchemaName eq '${name}'` });
        await api.deleteRelationship({ key });
        return {
            referencing: found.ReferencingEntity, before: found.CascadeConfiguration.Delete,
            after: changed.CascadeConfiguration.Delete, listed: listed.value.length,
            gone: await status(api.retrieveRelationship({ key })),
        };
    },
    async choices() {
        const name = "new_choice" + randomUUID().slice(0, 8);
        const key = await api.createGlobalOptionSet({ data: {
            "@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata",
            Name: name, DisplayName: label("Choice"), IsGlobal: true, OptionSetType: "Picklist",
            Options: [{ Value: 1, Label: label("One") }, { Value: 2, Label: label("Two") }],
        } });
        const castType = "Microsoft.Dynamics.CRM.OptionSetMetadata";
        const found = await api.retrieveGlobalOptionSet({ key, castType });
        const added = await api.callAction({ actionName: "InsertOptionValue", action: {
            OptionSetName: name, Label: label("Three"),
        } });
        await api.updateGlobalOptionSet({ data: { ...found, DisplayName: label("Other") }, castType, mergeLabels: true });
        const changed = await api.retrieveGlobalOptionSet({ key, castType });
        const all = await api.retrieveGlobalOptionSets({ select: ["Name"] });
        await api.deleteGlobalOptionSet({ key });
        return {
            values: found.Options.map((one) => one.Value), added: added.NewOptionValue,
            label: changed.DisplayName.UserLocalizedLabel.Label, options: changed.Options.length,
            listed: all.value.some((one) => one.Name === name),
            gone: await status(api.retrieveGlobalOptionSet({ key })),
        };
    },
    async files() {
        const castless = { "@odata.type": "Microsoft.Dynamics.CRM.FileAttributeMetadata", MaxSizeInKB: 10240 };
        const definition = await api.retrieveEntity({ key: "LogicalName='account'", select: ["LogicalName"] });
        await api.createAttribute({ entityKey: definition.MetadataId, data: {
            ...castless, SchemaName: "new_NodeFile", DisplayName: label("File"),
        } });
        const key = await account();
        const data = Buffer.from("content ".repeat(700_000));
        await api.uploadFile({ collection: "accounts", key, fileName: "big file.txt", property: "new_nodefile", data });
        const down = await api.downloadFile({ collection: "accounts", key, property: "new_nodefile" });
        await api.deleteRecord({ collection: "accounts", key, property: "new_nodefile" });
        const row = await api.retrieve({ collection: "accounts", key, select: ["new_nodefile", "new_nodefile_name"] });
        return {
            name: down.fileName, size: down.fileSize, same: Buffer.from(down.data).equals(data),
            left: [row.new_nodefile, row.new_nodefile_name],
        };
    },
    async csdl() {
        const plain = await api.retrieveCsdlMetadata();
        const annotated = await api.retrieveCsdlMetadata({ addAnnotations: true });
        return { begins: plain.slice(0, 14), longer: annotated.length > plain.length };
    },
};

const results = {};
for (const [name, tell] of Object.entries(stories)) {
    try {
        results[name] = await tell();
    } catch (error) {
        results[name] = { failed: String(error.message ?? error), status: error.status ?? null, stack: error.stack };
    }
}
console.log(JSON.stringify(results));
