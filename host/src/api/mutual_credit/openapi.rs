//! The description of this surface, OpenAPI 3.1: what the handlers say of themselves, and what is true of all of them. `hesabu openapi
//! mutual-credit` prints it, `/api/v1/openapi.json` serves it.

use super::fields::EntityFields;
use super::problem::Body;
use crate::parties::EntityStatus;
use serde_json::json;
use std::borrow::Cow;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
    Server,
};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// The groups of the document, and what it does not have.
pub(super) const MANAGE: &str = "Manage Account";
pub(super) const FIND: &str = "Find Entities";
pub(super) const TRANSFER: &str = "Transfer Credits";
pub(super) const REVIEW: &str = "Review Transfer Activity";
pub(super) const ADMINISTRATION: &str = "Administration";

const INTRODUCTION: &str = "Mutual credit: members of a community currency buy from and sell to each other on credit that they grant one another. \
     Names, envelope, messages and status codes are those of the HOMEPESA-MC Beta User API; what goes beyond it says so. Amounts are JSON numbers with \
     no more decimals than the unit has. Texts that others read have no control characters, but for ends of lines and tabs in descriptions, reasons, \
     addresses and messages, and no others that nobody sees.";

/// `page` and `page_size`.
pub(super) struct Paging;

impl IntoParams for Paging {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let number = |name: &str, what: &str, default: i64, most: i64| {
            let whole =
                ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).minimum(Some(1)).maximum(Some(most));
            query(name, what, whole.default(Some(json!(default))).build().into(), Required::False)
        };
        vec![
            number("page", "The page number", 1, super::envelope::Page::NUMBER_MAX),
            number(
                "page_size",
                "The number of results per page",
                super::envelope::Page::SIZE_DEFAULT,
                super::envelope::Page::SIZE_MAX,
            ),
        ]
    }
}

/// `date_from` and `date_to`.
pub(super) struct Dates;

impl IntoParams for Dates {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let date = |name: &str, what: &str| {
            let date = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
            query(name, what, date.build().into(), Required::False)
        };
        vec![
            date("date_from", "From this date and time on: RFC 3339, or seconds since 1970"),
            date("date_to", "Before this date and time: RFC 3339, or seconds since 1970"),
        ]
    }
}

/// The id in the path.
pub(super) struct Id;

impl IntoParams for Id {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![id("id", ParameterIn::Path, "The unique ID", Required::True)]
    }
}

/// `querying_entity_id`, where it must be there.
pub(super) struct QueryingEntity;

impl IntoParams for QueryingEntity {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![id(
            "querying_entity_id",
            ParameterIn::Query,
            "The entity ID to which the account is linked",
            Required::True,
        )]
    }
}

/// The header `Idempotency-Key`.
pub(super) struct RetryKey;

impl IntoParams for RetryKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let what = "Makes it safe to send the same request again: it happens once, and the first answer is given again, with the header \
                    `Idempotency-Replayed`. An addition to the document";
        let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).pattern(Some("^[!-~]+$"));
        let text = text.min_length(Some(1)).max_length(Some(crate::accounts::KEY_MAX)).build();
        let key =
            ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header).required(Required::False);
        vec![key.description(Some(what)).schema(Some(text)).build()]
    }
}

/// What an administrator may change of an entity: what its owner may, and how far it is admitted. It is read as [`EntityFields`].
pub(super) struct GovernedFields;

impl ToSchema for GovernedFields {
    fn name() -> Cow<'static, str> {
        "EntityGovernance".into()
    }
}

impl PartialSchema for GovernedFields {
    fn schema() -> RefOr<Schema> {
        let mut schema = EntityFields::schema();
        if let RefOr::T(Schema::Object(fields)) = &mut schema {
            let or_null = |of| SchemaType::from_iter([of, Type::Null]);
            let statuses = EntityStatus::ALL.iter().map(|status| json!(status.word())).chain([json!(null)]);
            let status = ObjectBuilder::new().schema_type(or_null(Type::String)).enum_values(Some(statuses));
            let category = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).build();
            let categories = ArrayBuilder::new().schema_type(or_null(Type::Array)).items(category);
            let limit = || ObjectBuilder::new().schema_type(or_null(Type::Number)).minimum(Some(0)).build();
            for (name, field) in [
                ("status", Schema::Object(status.build())),
                ("categories", Schema::Array(categories.build())),
                ("maxPositiveBalance", Schema::Object(limit())),
                ("maxNegativeBalance", Schema::Object(limit())),
            ] {
                fields.properties.insert(name.into(), RefOr::T(field));
            }
        }
        schema
    }
}

fn query(name: &str, what: &str, schema: RefOr<Schema>, required: Required) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(required);
    parameter.description(Some(what)).schema(Some(schema)).build()
}

fn id(name: &str, place: ParameterIn, what: &str, required: Required) -> Parameter {
    let id = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let id = id.format(Some(SchemaFormat::Custom("uuid".into()))).build();
    let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
    parameter.description(Some(what)).schema(Some(id)).build()
}

/// What the handlers say, with what is true of all of them.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("HOMEPESA-MC Beta User API")
        .version("v1")
        .description(Some(INTRODUCTION))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    document.servers = Some(vec![Server::new("/api/v1")]);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("jwt", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let mut schemas = vec![(Body::name().into(), Body::schema())];
    Body::schemas(&mut schemas);
    components.schemas.extend(schemas);
    for (path, item) in &mut document.paths.paths {
        let methods = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            let words = path.split(['/', '-', '{', '}']).filter(|word| !word.is_empty());
            operation.operation_id = Some(words.fold(method.to_owned(), |name, word| name + "_" + word));
            refusals(path, operation);
        }
    }
    document
}

/// Why any operation may be refused.
fn refusals(path: &str, operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let mut add = |status: &str, what: &str| {
        responses.entry(status.into()).or_insert_with(|| refusal(what).into());
    };
    let takes_something = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    if takes_something || operation.request_body.is_some() {
        add("400", "The request is missing a required parameter, or something in it is wrong.");
    }
    if operation.security.as_ref().is_some_and(|security| !security.is_empty()) {
        add("401", "There was an issue with the authentication data for the request.");
        if takes_something || operation.request_body.is_some() || path.starts_with("/admin") {
            add("403", "User does not have permission to access the resource.");
        }
    }
    if operation.request_body.is_some() {
        add("413", "The request body is too large.");
    }
    add("429", "The request limit for this resource has been reached for the current rate limit window.");
    add("500", "An unknown internal error occurred.");
    add("503", "The service is temporarily unavailable: try again after `Retry-After` seconds.");
}

fn refusal(what: &str) -> Response {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(Body::name()))).build();
    ResponseBuilder::new().description(what).content("application/json", body).build()
}
