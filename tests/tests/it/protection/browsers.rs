//! What pages may do: any may ask, none may frame or run what comes back.

use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::Network;
use hesabu_tests::server::Home;
use reqwest::Method;

const PAGE: &str = "https://app.example.org";

async fn preflight(client: &Client, origin: &str, method: &str, path: &str) -> Answer {
    let request = client.request(Method::OPTIONS, path).header("Origin", origin);
    let request = request.header("Access-Control-Request-Method", method);
    Answer::to(request.header("Access-Control-Request-Headers", "authorization,content-type,idempotency-key")).await
}

/// What a browser asks before it sends what a page wants, and what it shows the page of the answer.
#[tokio::test]
async fn pages_may_use_the_api() {
    let network = Network::on(Engine::Sqlite, "0", "100").await;
    let nobody = Client::of(&network.server);
    for (method, path) in
        [("PATCH", "/user"), ("PATCH", "/transfers/x"), ("DELETE", "/admin/tags/x"), ("POST", "/transfers")]
    {
        let answer = preflight(&nobody, PAGE, method, path).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"), "{answer:?}");
        let listed = |name: &str, what: &str| {
            let list = answer.header(name).to_ascii_lowercase();
            list.split(',').any(|item| item.trim() == what.to_ascii_lowercase())
        };
        assert!(["GET", "POST", "PATCH", "DELETE"].iter().all(|method| listed("access-control-allow-methods", method)));
        for header in ["Authorization", "Content-Type", "Idempotency-Key"] {
            assert!(listed("access-control-allow-headers", header), "{answer:?}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    let answers = [
        Answer::to(network.alice.client.request(Method::GET, "/user").header("Origin", PAGE)).await,
        Answer::to(nobody.request(Method::GET, "/user").header("Origin", PAGE)).await,
        Answer::to(nobody.request(Method::GET, "/nothing").header("Origin", PAGE)).await,
        Answer::to(nobody.request(Method::DELETE, "/user").header("Origin", PAGE)).await,
        nobody.outside("/healthz").await,
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 401, 404, 405, 200]);
    answers.iter().for_each(is_open_and_hardened);
}

/// Other pages may not, once there is a list.
#[tokio::test]
async fn only_pages_that_are_listed_may() {
    let listed = format!("{PAGE}, http://localhost:3000");
    let home = Home::on(Engine::Sqlite).await.with("HESABU_ALLOWED_ORIGINS", &listed);
    let server = home.serve().await;
    let nobody = Client::of(&server);
    for (origin, allowed) in
        [(PAGE, PAGE), ("http://localhost:3000", "http://localhost:3000"), ("https://evil.example", "")]
    {
        let answer = preflight(&nobody, origin, "PATCH", "/user").await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        let asked = Answer::to(nobody.request(Method::GET, "/user").header("Origin", origin)).await;
        assert_eq!(asked.header("access-control-allow-origin"), allowed);
        assert!(asked.header("vary").contains("origin"), "{asked:?}");
    }
    for wrong in ["app.example.org", "https://app.example.org/page", "*"] {
        let ended = Home::on(Engine::Sqlite).await.with("HESABU_ALLOWED_ORIGINS", wrong).run(&["serve"], "").await;
        assert!(ended.code == Some(1) && ended.log.contains("HESABU_ALLOWED_ORIGINS"), "{ended:?}");
    }
}

/// Refusals are answers too: a page that is limited must be able to see that it is.
#[tokio::test]
async fn pages_see_that_they_are_refused() {
    super::with_left_of_the_minute(10).await;
    let home = Home::on(Engine::Sqlite).await.with("HESABU_REQUESTS_PER_MINUTE_BY_ADDRESS", "1");
    let server = home.serve().await;
    let nobody = Client::of(&server);
    nobody.get("/user").await;
    let limited = nobody.get("/user").await;
    assert_eq!(limited.status, 429);
    is_open_and_hardened(&limited);
    assert!(preflight(&nobody, PAGE, "GET", "/user").await.status == 200, "a preflight is no request");
}

#[tokio::test]
async fn only_a_proxy_with_tls_says_so() {
    for (trusted, told) in [("127.0.0.1", "max-age=31536000"), ("10.0.0.0/8", "")] {
        let home = Home::on(Engine::Sqlite).await.with("HESABU_TRUSTED_PROXIES", trusted);
        let server = home.serve().await;
        let nobody = Client::of(&server);
        for (scheme, told) in [("https", told), ("http", "")] {
            let answer = Answer::to(nobody.request(Method::GET, "/user").header("X-Forwarded-Proto", scheme)).await;
            assert_eq!(answer.header("strict-transport-security"), told);
        }
    }
}

fn is_open_and_hardened(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer:?}");
    let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
    for header in ["idempotency-replayed", "retry-after", "x-request-id"] {
        assert!(exposed.contains(header), "{exposed}");
    }
    let hardened = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cache-control", "no-cache, must-revalidate, no-store"),
        ("pragma", "no-cache"),
        ("expires", "0"),
        ("strict-transport-security", ""),
    ];
    for (name, value) in hardened {
        assert_eq!(answer.header(name), value, "{name}: {answer:?}");
    }
    assert!(!answer.header("x-request-id").is_empty());
}
