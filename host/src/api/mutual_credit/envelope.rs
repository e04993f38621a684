//! What answers are wrapped in, and how long lists are cut into pages.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// `{"data": …}`
#[derive(Serialize, ToSchema)]
pub(super) struct Data<T> {
    pub(super) data: T,
}

/// `{"data": […], "meta": …}`
#[derive(Serialize, ToSchema)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    pub(super) meta: Meta,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    /// How many there are in all.
    number_of_results: i64,
    /// At least 1, also when there is nothing.
    total_pages: i64,
}

/// Which part of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Page {
    /// From 1.
    pub(super) number: i64,
    /// 1 to 100.
    pub(super) size: i64,
}

impl Page {
    pub(super) const SIZE_DEFAULT: i64 = 10;
    pub(super) const SIZE_MAX: i64 = 100;
    /// A bound for what is multiplied below; no list is that long.
    pub(super) const NUMBER_MAX: i64 = 1_000_000_000;

    /// How many results come before this page.
    pub(super) const fn offset(self) -> i64 {
        (self.number - 1) * self.size
    }

    pub(super) fn of<T>(self, data: Vec<T>, number_of_results: i64) -> List<T> {
        let total_pages = ((number_of_results + self.size - 1) / self.size).max(1);
        List { data, meta: Meta { number_of_results, total_pages } }
    }
}

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}
