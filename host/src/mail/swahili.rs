//! Every mail in Swahili.

use super::content::Block::{Code, Facts, Link, List, Quote, Text};
use super::content::{Block, Content};
use super::told::{Deal, Event, Party, Told};

pub(super) fn content(told: Told) -> Content {
    match told {
        Told::Welcome { number, site } => welcome(number, site),
        Told::DailyMatch { offered, wanted, site } => {
            let mut blocks =
                vec![Text("Haya ni mapya kutoka kwa wanachama wengine tangu tulipokuandikia mara ya mwisho.".into())];
            blocks.extend(listed("Unavyohitaji, na wengine wanavitoa:", &offered));
            blocks.extend(listed("Unavyotoa, na wengine wanavihitaji:", &wanted));
            blocks.extend(site.map(|site| Link("Watafute", site)));
            blocks.push(Text("Unaweza kuzima barua pepe hii ya kila siku kwenye mipangilio ya biashara yako.".into()));
            Content::new("Mapya yanayolingana na unavyotoa na unavyohitaji".into(), blocks)
        }
        Told::TradeContact { from, text } => {
            let blocks = vec![
                Text(format!("{} amekuandikia ujumbe huu:", from.full())),
                Quote(text),
                Text("Ili kujibu, jibu barua pepe hii. Ataona anwani yako ya barua pepe ukimjibu tu.".into()),
            ];
            Content::new(format!("Ujumbe kutoka kwa {}", from.name), blocks)
        }
        Told::TradeContactCopy { from, to, text } => {
            let to = to.map_or_else(|| "mwanachama mwingine".into(), |to| to.full());
            let blocks = vec![Text(format!("{} amemwandikia {to}:", from.full())), Quote(text)];
            Content::new(format!("Nakala ya ujumbe kutoka kwa {}", from.name), blocks)
        }
        Told::Transfer { event, deal, site } => transfer(event, deal, site),
        Told::PasswordReset { administrator, token, link, minutes } => reset(administrator, token, link, minutes),
        Told::Signup { who, email, site } => {
            let facts = vec![("Biashara", who.name.clone()), ("Namba ya akaunti", who.number), ("Barua pepe", email)];
            let mut blocks = vec![Text("Kuna aliyejisajili, na anasubiri kukubaliwa.".into()), Facts(facts)];
            blocks.extend(site.map(|site| Link("Fungua ukurasa wa usimamizi", site)));
            Content::new(format!("Usajili mpya: {}", who.name), blocks)
        }
        Told::BooksOutOfBalance { unit, broken } => {
            let blocks = vec![
                Text(format!("Ukaguzi wa kila saa wa leja ya {unit} umegundua kwamba leja haiko sawa.")),
                List("Kanuni zilizovunjwa, na idadi ya safu zinazozivunja:", broken),
                Text("Endesha `hesabu verify` ili kupata rekodi ya kwanza yenye kosa. Utaarifiwa tena kesho kama hakutakuwa na mabadiliko.".into()),
            ];
            Content::new(format!("Hesabu za {unit} haziko sawa"), blocks)
        }
    }
}

fn welcome(number: String, site: Option<String>) -> Content {
    let mut blocks = vec![
        Text("Karibu!".into()),
        Text(
            "Akaunti yako imefunguliwa. Hii ndiyo namba yake, ambayo wengine wataihitaji ili kufanya biashara nawe:"
                .into(),
        ),
        Code(number),
        Text("Msimamizi ataangalia ombi lako. Utaweza kufanya biashara mara tu utakapokubaliwa.".into()),
    ];
    blocks.extend(site.map(|site| Link("Ingia", site)));
    Content::new("Karibu".into(), blocks)
}

fn transfer(event: Event, deal: Deal, site: Option<String>) -> Content {
    let Deal { pays, other, amount, description, reason, id } = deal;
    let name = &other.name;
    let (subject, text) = match (event, pays) {
        (Event::Initiated, true) => (
            format!("{name} anakuomba {amount}"),
            format!("{name} anakuomba umlipe {amount}. Hakuna kitakacholipwa usipokubali. Tafadhali kubali au kataa."),
        ),
        (Event::Initiated, false) => (
            format!("{name} anataka kukulipa {amount}"),
            format!("{name} anataka kukulipa {amount}. Utapokea kiasi hicho ukikubali. Tafadhali kubali au kataa."),
        ),
        (Event::Accepted, true) => (
            format!("{name} amekubali malipo yako ya {amount}"),
            format!("{name} amekubali malipo yako. Kiasi cha {amount} kimetolewa kwenye akaunti yako."),
        ),
        (Event::Accepted, false) => (
            format!("{name} amekulipa {amount}"),
            format!("{name} amekubali ombi lako. Kiasi cha {amount} kimeongezwa kwenye akaunti yako."),
        ),
        (Event::Rejected, true) => (
            format!("{name} amekataa malipo yako ya {amount}"),
            format!("{name} hakubali malipo yako ya {amount}. Hakuna kilicholipwa."),
        ),
        (Event::Rejected, false) => (
            format!("{name} amekataa ombi lako la {amount}"),
            format!("{name} hakubali kulipa {amount}. Hakuna kilicholipwa."),
        ),
        (Event::Cancelled, true) => (
            format!("{name} hakuombi tena {amount}"),
            format!("{name} ameghairi ombi la {amount}. Hakuna kilicholipwa, na huhitaji kujibu."),
        ),
        (Event::Cancelled, false) => (
            format!("{name} ameghairi malipo ya {amount}"),
            format!("{name} ameghairi malipo ya {amount} kwako. Hakuna kilicholipwa, na huhitaji kujibu."),
        ),
        (Event::CancelledBySystem, _) => (
            format!("Malipo ya {amount} kati yako na {name} yameghairiwa"),
            format!("Mfumo umeghairi malipo ya {amount} {}. Hakuna kilicholipwa.", way(pays, name)),
        ),
        (Event::Expired, _) => (
            format!("Muda wa malipo ya {amount} kati yako na {name} umekwisha"),
            format!("Malipo ya {amount} {} hayakujibiwa kwa wakati. Hakuna kilicholipwa.", way(pays, name)),
        ),
    };
    let party = if pays { ("Kwa", other.full()) } else { ("Kutoka kwa", other.full()) };
    let facts = vec![party, ("Kiasi", amount), ("Maelezo", description), ("Sababu", reason), ("Muamala", id)];
    let mut blocks = vec![Text(text), Facts(facts)];
    blocks.extend(site.map(|site| Link("Fungua miamala yako", site)));
    Content::new(subject, blocks)
}

fn way(pays: bool, name: &str) -> String {
    if pays { format!("kutoka kwako kwenda kwa {name}") } else { format!("kutoka kwa {name} kuja kwako") }
}

fn reset(administrator: bool, token: String, link: Option<String>, minutes: i64) -> Content {
    let whose = if administrator { "nenosiri lako la msimamizi" } else { "nenosiri lako" };
    let mut blocks = vec![Text(format!("Mtu fulani, huenda ni wewe, ameomba kubadilisha {whose}."))];
    blocks.extend(link.map(|link| Link("Chagua nenosiri jipya", link)));
    blocks.push(Text("Msimbo wa kulibadilisha ni:".into()));
    blocks.push(Code(token));
    blocks.push(Text(format!(
        "Unatumika mara moja tu, ndani ya dakika {minutes}. Baada ya hapo itabidi uingie upya kila mahali."
    )));
    blocks.push(Text("Kama hukuomba wewe, puuza barua pepe hii: hakuna kilichobadilika.".into()));
    Content::new("Badilisha nenosiri lako".into(), blocks)
}

fn listed(title: &'static str, matches: &[(String, Party)]) -> Option<Block> {
    let items = matches.iter().map(|(tag, party)| format!("{tag}: {}", party.full())).collect();
    (!matches.is_empty()).then_some(List(title, items))
}
