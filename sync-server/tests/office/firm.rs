//! An office with rules, and people with roles in it.

use outrider_core::{
    access::Rules,
    crdt::{self, Action, Edit, Stamp},
    ids::{ActorId, ChangeHash, DocumentId, Part, RecordId},
    sync::frame::{Outcome, PushChange, PushGroup, PushRequest},
    value::Value,
};
use outrider_sync_server::{
    accept,
    office::{self, Decision, OfficeError},
    storage::{
        Content, Storage as _,
        access::{Review, ReviewState},
    },
};
use serde_json::{Value as Json, json};

use crate::world::{Phone, World, fields};

/// An office with rules, and people in it.
pub(crate) struct Firm {
    pub(crate) world: World,
}

impl Firm {
    pub(crate) fn open() -> Self {
        let world = World::open();
        let firm = Self { world };
        firm.decide(|rules| rules.is_on = true);
        firm
    }

    pub(crate) fn decide(&self, change: impl FnOnce(&mut Rules)) {
        let mut write = self.world.storage.write().unwrap();
        let mut rules = write.rules().unwrap();
        change(&mut rules);
        rules.number += 1;
        write.add_rules(&rules, 0, "test").unwrap();
        write.commit().unwrap();
    }

    /// Somebody with a role, and a phone.
    pub(crate) fn person(&self, name: &str, role: &str) -> Phone {
        let phone = self.world.phone(name);
        self.set_user(&phone, json!({ "role": role }));
        phone
    }

    pub(crate) fn set_user(&self, phone: &Phone, json: Json) {
        self.set(id_of(phone), json);
    }

    /// The office itself changes a record.
    pub(crate) fn set(&self, record: RecordId, json: Json) {
        let system = self.world.author(office::SYSTEM_USER);
        self.world.update(&system, record, json, None).unwrap();
    }

    pub(crate) fn customer(&self, name: &str, owner: &Phone) -> RecordId {
        let system = self.world.author(office::SYSTEM_USER);
        let owner = id_of(owner).to_string();
        self.world.create(&system, "customer", json!({ "company_name": name, "owner_id": owner }))
    }

    /// One in which Li and Wang sell, and Li has a customer and knows of it.
    pub(crate) fn with_customer() -> (Self, Phone, Phone, RecordId) {
        let firm = Self::open();
        let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
        let customer = firm.customer("Acme", &li);
        firm.sync(&mut li);
        firm.sync(&mut li);
        (firm, li, wang, customer)
    }

    pub(crate) fn sync(&self, phone: &mut Phone) {
        self.world.sync(phone);
    }

    pub(crate) fn open_reviews(&self) -> Vec<Review> {
        self.reviews(ReviewState::Open)
    }

    /// Refused edits that stand so.
    pub(crate) fn reviews(&self, state: ReviewState) -> Vec<Review> {
        self.world.storage.read().unwrap().reviews(state, 0, 100).unwrap()
    }

    pub(crate) fn decide_on(
        &self,
        approver: &Phone,
        id: u64,
        decision: Decision,
    ) -> Result<(), String> {
        let author = office::author_for(
            &self.world.storage,
            &approver.device.user,
            approver.device.user_record,
            self.world.now(),
        )
        .unwrap();
        let policy = self.world.policy();
        let now_ms = self.world.now();
        office::decide(&self.world.storage, &policy, &author, id, decision, "", now_ms)
            .map_err(|error| error.to_string())
    }

    /// Somebody at the office pages, with the rights of this user.
    pub(crate) fn clerk(&self, user: &Phone) -> office::Author {
        let (name, record) = (&user.device.user, user.device.user_record);
        office::author_for(&self.world.storage, name, record, self.world.now()).unwrap()
    }

    /// What saving a form says: whether anything was written, or the code of a refusal.
    pub(crate) fn save(&self, user: &Phone, record: RecordId, json: Json) -> Result<bool, String> {
        let (policy, author, now_ms) = (self.world.policy(), self.clerk(user), self.world.now());
        let seen = Some(self.world.position());
        let fields = fields(json);
        let storage = &self.world.storage;
        office::update(storage, &policy, &author, record, &fields, seen, now_ms).map_err(code_of)
    }

    pub(crate) fn create_as(
        &self,
        user: &Phone,
        entity: &str,
        json: Json,
    ) -> Result<RecordId, String> {
        let (policy, author) = (self.world.policy(), self.clerk(user));
        let (fields, now_ms) = (fields(json), self.world.now());
        office::create(&self.world.storage, &policy, &author, entity, &fields, now_ms)
            .map_err(code_of)
    }
}

/// The user's record.
pub(crate) fn id_of(phone: &Phone) -> RecordId {
    phone.device.user_record.unwrap()
}

pub(crate) fn has(phone: &Phone, record: RecordId) -> bool {
    phone.replica.get(record).unwrap().is_some()
}

pub(crate) fn code_of(error: OfficeError) -> String {
    let words = error.to_string();
    if let OfficeError::Refused { code, .. } = error { code } else { words }
}

impl Firm {
    pub(crate) fn get(&self, record: RecordId) -> Json {
        let read = self.world.storage.read().unwrap();
        Json::Object(office::view(&*read, record).unwrap().unwrap().json)
    }

    /// A change of somebody's device with a message of its own; whether it is accepted.
    pub(crate) fn forge(
        &self,
        by: &Phone,
        record: RecordId,
        (key, value): (&str, &str),
        refused: ChangeHash,
    ) -> bool {
        let id = DocumentId { record, part: Part::Main };
        let stored = self.world.storage.read().unwrap().document(&id).unwrap().unwrap();
        let Content::Flat(mut state) = stored.content else { panic!("{id} is flat") };
        let message = json!({ "user": "Li", "refused": refused, "approver": "Zhao" }).to_string();
        let actor = ActorId::new(by.device.prefix, [7; 4]);
        let stamp = Stamp { actor, time_ms: self.world.now(), message: Some(message) };
        let edit = Edit { key: key.to_owned(), action: Action::Put(Value::Text(value.to_owned())) };
        let change = crdt::write(&mut state, &mut None, stamp, vec![edit]).unwrap();
        let change = PushChange {
            record,
            part: Part::Main,
            entity: stored.entity,
            generation: state.generation,
            bytes: change.bytes,
        };
        let request =
            PushRequest::new(by.device.id, vec![PushGroup { changes: vec![change] }], Vec::new());
        let (storage, policy, now_ms) =
            (&self.world.storage, self.world.policy(), self.world.now());
        let said = accept::push(storage, &policy, &by.device, &request, now_ms).unwrap();
        said.answers[0].outcome == Outcome::Applied
    }
}
