//! The alarm of an API key that expires soon: raised in time, and gone once a new key has taken the
//! old one's place.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::demo::odoo::API_KEY;
use stockrelay::document::{Line, Purpose, State};
use stockrelay::event::Goods;

use super::forwarder::Gateway;
use super::{Odoo, unique};

on_both! {
    a_key_that_expires_soon_is_told_of_until_another_one_takes_its_place,
}

const ALARM: &str = "odoo-key-expires";
const DEADLINE: Duration = Duration::from_mins(1);
/// The stand-in's user of the gateway.
const USER: i64 = 7;

/// A user of the gateway whose keys are made and removed here, as a person does it in Odoo's
/// preferences.
struct Keeper {
    odoo: Odoo,
    login: String,
}

impl Keeper {
    fn new(mut odoo: Odoo) -> Self {
        let login = format!("keeper-{}", unique());
        if !odoo.is_stand_in() {
            odoo.config.user = Some(login.clone());
        }
        Self { odoo, login }
    }

    /// Makes a key that is good for so many days, and gives it to the gateway. The day on which it
    /// expires.
    async fn use_new_key(&mut self, name: &str, days: i64) -> String {
        let expires = clock::now() + SignedDuration::from_hours(24 * days);
        let expires = expires.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let key = if self.odoo.is_stand_in() {
            // It knows one key by its text, and tells of the others.
            let values =
                json!({"name": name, "scope": "rpc", "user_id": USER, "expiration_date": expires});
            let body = json!({"vals_list": [values]});
            self.odoo.ask("res.users.apikeys", "create", body).await;
            API_KEY.to_owned()
        } else {
            let login = &self.login;
            let code = format!(
                "user = env['res.users'].search([('login', '=', '{login}')]) or env['res.users'].create({{\
                     'name': 'Keeper', 'login': '{login}', 'group_ids': [(6, 0, [\
                         env.ref('base.group_user').id, env.ref('stock.group_stock_user').id])]}})\n\
                 until = datetime.datetime.strptime('{expires}', '%Y-%m-%d %H:%M:%S')\n\
                 action = {{'key': env['res.users.apikeys'].with_user(user)._generate('rpc', '{name}', until)}}"
            );
            self.act(&code).await["key"]
                .as_str()
                .expect("a key")
                .to_owned()
        };
        let file = self.odoo.config.api_key_file.as_ref();
        std::fs::write(file.expect("a key file"), key).expect("a key file");
        expires[..10].to_owned()
    }

    async fn remove_key(&mut self, name: &str) {
        if self.odoo.is_stand_in() {
            let body = json!({"domain": [["name", "=", name]]});
            let ids = self.odoo.ask("res.users.apikeys", "search", body).await;
            let body = json!({"ids": ids});
            self.odoo.ask("res.users.apikeys", "unlink", body).await;
        } else {
            let login = &self.login;
            self.act(&format!(
                "env['res.users.apikeys'].sudo().search([('user_id.login', '=', '{login}'), ('name', '=', '{name}')])._remove()"
            ))
            .await;
        }
    }

    /// Odoo shows a key only to the person who makes it, by a wizard that asks for the password:
    /// what an administrator may do without is a server action.
    async fn act(&mut self, code: &str) -> Value {
        let body = json!({"domain": [["model", "=", "res.users"]]});
        let model = self.odoo.ask("ir.model", "search", body).await[0].take();
        let values = json!({"name": "Keys", "model_id": model, "state": "code", "code": code});
        let body = json!({"vals_list": [values]});
        let action = self.odoo.ask("ir.actions.server", "create", body).await;
        let body = json!({"ids": action});
        self.odoo.ask("ir.actions.server", "run", body).await
    }
}

async fn until_alarm(gateway: &Gateway, what: &str, wanted: impl Fn(Option<&String>) -> bool) {
    let begun = clock::instant();
    while !wanted(gateway.board.snapshot().alarms.get(ALARM)) {
        let live = gateway.board.snapshot();
        let elapsed = clock::instant().duration_since(begun);
        assert!(
            elapsed < DEADLINE,
            "{what}: {:?}, {:?}",
            live.alarms,
            live.odoo
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_key_that_expires_soon_is_told_of_until_another_one_takes_its_place(odoo: Odoo) {
    let mut keeper = Keeper::new(odoo);
    let day = keeper.use_new_key("old", 13).await;
    let mut gateway = Gateway::new(&keeper.odoo);
    gateway.start();
    until_alarm(&gateway, "no alarm of the old key", |alarm| {
        alarm.is_some_and(|text| text.contains("\"old\"") && text.contains(&day))
    })
    .await;

    // As the alarm says, no restart is needed for the new key to be used.
    keeper.use_new_key("new", 60).await;
    keeper.remove_key("old").await;
    let line = Line {
        goods: Goods {
            product: keeper.odoo.products[40].1.clone(),
            from: Some(keeper.odoo.bins[40].1.clone()),
            to: Some(keeper.odoo.bins[41].1.clone()),
            quantity: 1.into(),
            ..Goods::default()
        },
        events: Vec::new(),
    };
    let key = gateway.seal_as(Purpose::Transfer, vec![line], 1_000).await;
    gateway.drained().await;
    let entry = gateway.journal.document_by_key(key).unwrap().unwrap();
    assert_eq!(entry.progress.state, State::Posted);

    // The next look at the keys is a day later, or at a start.
    gateway.stop().await;
    assert!(gateway.board.snapshot().alarms.contains_key(ALARM));
    gateway.start();
    until_alarm(&gateway, "the alarm stays", |alarm| alarm.is_none()).await;
    gateway.close().await;
}
