//! How the answers about one type of order differ from those about another.
//!
//! What Bandwidth documents is in the table; where it documents nothing, an order has the shape of
//! [`PLAIN`], with the names that most of the others have.

use crate::order::{self, OrderType};

/// A type of order, as a path and an answer have it.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    order_type: &'static OrderType,
    pub(super) shape: &'static Shape,
}

impl Kind {
    /// What a segment of a path such as `portins` stands for: the name of a type or an alias, or
    /// what Bandwidth has in its paths instead. Case makes no difference.
    pub fn of(segment: &str) -> Option<Kind> {
        let in_path = SHAPES
            .iter()
            .find(|shape| shape.segment.is_some_and(|other| other.eq_ignore_ascii_case(segment)));
        let order_type = order::order_type(in_path.map_or(segment, |shape| shape.order_type))?;
        let shape = SHAPES.iter().find(|shape| shape.order_type == order_type.name);
        Some(Kind { order_type, shape: shape.unwrap_or(&PLAIN) })
    }

    pub fn order_type(self) -> &'static OrderType {
        self.order_type
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Kind) -> bool {
        self.order_type == other.order_type
    }
}

impl Eq for Kind {}

/// Path around all numbers, and that around each.
type Numbers = (&'static [&'static str], &'static [&'static str]);

/// Element names. A path is a list of elements within each other.
#[derive(Debug)]
pub(super) struct Shape {
    /// Name of the type in [`order::ORDER_TYPES`].
    pub(super) order_type: &'static str,
    /// In paths, where it is not the name of the type.
    segment: Option<&'static str>,
    /// Path of one order.
    pub(super) one: &'static [&'static str],
    /// The part of one order that the customer asked for, with its ids; without one, all elements
    /// stand beside each other.
    pub(super) request: Option<&'static str>,
    pub(super) id: &'static str,
    pub(super) created: &'static str,
    pub(super) status: &'static str,
    /// The telephone numbers.
    pub(super) numbers: Numbers,
    /// The same for an order that failed: its numbers are those that it did not get.
    pub(super) failed_numbers: Numbers,
    /// The path around all numbers stands there even if there are none: without it, one of
    /// Bandwidth's clients fails.
    pub(super) numbers_always: bool,
    /// How many numbers were completed, failed and are pending.
    pub(super) quantities: bool,
    /// Path of a list, with `TotalCount` and `Links`.
    pub(super) list: &'static [&'static str],
    /// Around all orders of a list.
    pub(super) rows: &'static [&'static str],
    /// Path of one order in a list.
    pub(super) row: &'static [&'static str],
    pub(super) row_form: Row,
}

/// What a list says of an order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Row {
    /// A summary with names of its own.
    Summary {
        id: &'static str,
        status: &'static str,
        /// Of the planned day of a port.
        foc: &'static str,
        /// The type of the order, in the words of lists; `None`: the name of the type.
        order_type: Option<&'static str>,
    },
    /// The elements of one order.
    Whole,
}

const TELEPHONE_NUMBERS: Numbers = (&["TelephoneNumbers"], &["TelephoneNumber"]);
const PHONE_NUMBERS: Numbers = (&["ListOfPhoneNumbers"], &["PhoneNumber"]);

const fn summary(order_type: &'static str) -> Row {
    Row::Summary {
        id: "orderId",
        status: "OrderStatus",
        foc: "ActualFocDate",
        order_type: Some(order_type),
    }
}

/// With the `OrderId` that some lists write.
const fn summary_upper(order_type: &'static str) -> Row {
    Row::Summary {
        id: "OrderId",
        status: "OrderStatus",
        foc: "ActualFocDate",
        order_type: Some(order_type),
    }
}

const fn port(order_type: &'static str) -> Row {
    Row::Summary {
        id: "OrderId",
        status: "ProcessingStatus",
        foc: "ActualFOCDate",
        order_type: Some(order_type),
    }
}

/// The shape of the types of which nothing else is known.
const PLAIN: Shape = Shape {
    order_type: "",
    segment: None,
    one: &["OrderResponse"],
    request: None,
    id: "OrderId",
    created: "OrderCreateDate",
    status: "OrderStatus",
    numbers: TELEPHONE_NUMBERS,
    failed_numbers: TELEPHONE_NUMBERS,
    numbers_always: false,
    quantities: false,
    list: &["ResponseSelectWrapper", "ListOrderIdUserIdDate"],
    rows: &[],
    row: &["OrderIdUserIdDate"],
    row_form: Row::Summary {
        id: "orderId",
        status: "OrderStatus",
        foc: "ActualFocDate",
        order_type: None,
    },
};

/// One whose elements stand beside each other, under a `ProcessingStatus`.
const PROCESSED: Shape = Shape { status: "ProcessingStatus", ..PLAIN };

const SHAPES: &[Shape] = &[
    Shape {
        order_type: "orders",
        request: Some("Order"),
        id: "id",
        numbers: (&["CompletedNumbers"], &["TelephoneNumber", "FullNumber"]),
        failed_numbers: (&["FailedNumbers"], &["FullNumber"]),
        quantities: true,
        row_form: summary("new_number"),
        ..PLAIN
    },
    Shape {
        order_type: "portins",
        one: &["LnpOrderResponse"],
        numbers: PHONE_NUMBERS,
        failed_numbers: PHONE_NUMBERS,
        list: &["LNPResponseWrapper"],
        row: &["lnpPortInfoForGivenStatus"],
        row_form: port("port_in"),
        ..PROCESSED
    },
    Shape {
        order_type: "portouts",
        one: &["LnpOrderResponse"],
        status: "PortOutStatus",
        numbers: PHONE_NUMBERS,
        failed_numbers: PHONE_NUMBERS,
        list: &["LNPResponseWrapper"],
        row: &["lnpPortInfoForGivenStatus"],
        row_form: port("port_out"),
        ..PLAIN
    },
    Shape {
        order_type: "disconnects",
        one: &["DisconnectTelephoneNumberOrderResponse"],
        request: Some("orderRequest"),
        id: "id",
        numbers: (&["DisconnectedTelephoneNumberList"], &["TelephoneNumber"]),
        failed_numbers: (&["FailedTelephoneNumberList"], &["TelephoneNumber"]),
        row_form: summary_upper("disconnect"),
        ..PLAIN
    },
    Shape {
        order_type: "bulkPortins",
        one: &["BulkPortinResponse", "BulkPortin"],
        list: &["BulkPortinResponses"],
        row: &["BulkPortinResponse", "BulkPortin"],
        row_form: Row::Whole,
        ..PROCESSED
    },
    Shape {
        order_type: "lsrorders",
        one: &["LsrOrder"],
        numbers: (&["ListOfTelephoneNumbers"], &["TelephoneNumber"]),
        failed_numbers: (&["ListOfTelephoneNumbers"], &["TelephoneNumber"]),
        list: &["LsrOrders"],
        row: &["LsrOrderSummary"],
        row_form: summary_upper("lsr"),
        ..PLAIN
    },
    Shape { order_type: "csrs", one: &["CsrResponse"], status: "Status", ..PLAIN },
    Shape {
        order_type: "tnoptions",
        one: &["TnOptionOrder"],
        numbers: (&["TnOptionGroups", "TnOptionGroup", "TelephoneNumbers"], &["TelephoneNumber"]),
        failed_numbers: (
            &["TnOptionGroups", "TnOptionGroup", "TelephoneNumbers"],
            &["TelephoneNumber"],
        ),
        numbers_always: true,
        list: &["TnOptionOrders"],
        row: &["TnOptionOrderSummary"],
        row_form: summary_upper("tn_option"),
        ..PROCESSED
    },
    Shape {
        order_type: "importtnorders",
        one: &["ImportTnOrder"],
        list: &["ImportTnOrders"],
        row: &["ImportTnOrderSummary"],
        row_form: summary_upper("import_tn_orders"),
        ..PROCESSED
    },
    Shape {
        order_type: "removeImportedTnOrders",
        one: &["RemoveImportedTnOrder"],
        list: &["RemoveImportedTnOrders"],
        row: &["RemoveImportedTnOrderSummary"],
        row_form: summary_upper("remove_imported_tn_orders"),
        ..PROCESSED
    },
    // The two for voice are in no reference; they have the names of those above.
    Shape {
        order_type: "importVoiceTnOrders",
        one: &["ImportTnOrder"],
        list: &["ImportTnOrders"],
        row: &["ImportTnOrderSummary"],
        row_form: summary_upper("import_voice_tn_orders"),
        ..PROCESSED
    },
    Shape {
        order_type: "removeImportedVoiceTnOrders",
        one: &["RemoveImportedTnOrder"],
        list: &["RemoveImportedTnOrders"],
        row: &["RemoveImportedTnOrderSummary"],
        row_form: summary_upper("remove_imported_voice_tn_orders"),
        ..PROCESSED
    },
    Shape { order_type: "e911s", one: &["E911Order"], row_form: summary("e911"), ..PROCESSED },
    Shape {
        order_type: "dldas",
        one: &["DldaOrderResponse", "DldaOrder"],
        numbers: (&["DldaTnGroups", "DldaTnGroup", "TelephoneNumbers"], &["TelephoneNumber"]),
        failed_numbers: (
            &["DldaTnGroups", "DldaTnGroup", "TelephoneNumbers"],
            &["TelephoneNumber"],
        ),
        row_form: summary("dlda"),
        ..PROCESSED
    },
    Shape {
        order_type: "lidb",
        one: &["LidbOrderResponse", "LidbOrder"],
        id: "orderId",
        numbers: (&["LidbTnGroups", "LidbTnGroup", "TelephoneNumbers"], &["TelephoneNumber"]),
        failed_numbers: (
            &["LidbTnGroups", "LidbTnGroup", "TelephoneNumbers"],
            &["TelephoneNumber"],
        ),
        row_form: summary("lidb"),
        ..PROCESSED
    },
    Shape {
        order_type: "emergencyNotificationGroup",
        segment: Some("emergencyNotificationGroupOrders"),
        one: &["EmergencyNotificationGroupOrderResponse"],
        created: "OrderCreatedDate",
        list: &["EmergencyNotificationGroupOrderResponse"],
        rows: &["EmergencyNotificationGroupOrders"],
        row: &["EmergencyNotificationGroupOrder"],
        row_form: Row::Whole,
        ..PROCESSED
    },
    Shape {
        order_type: "emergencyEndpointGroup",
        segment: Some("emergencyNotificationEndpointOrders"),
        one: &["EmergencyNotificationEndpointOrderResponse"],
        created: "OrderCreatedDate",
        list: &["EmergencyNotificationEndpointOrderResponse"],
        rows: &["EmergencyNotificationEndpointOrders"],
        row: &["EmergencyNotificationEndpointOrder"],
        row_form: Row::Whole,
        ..PROCESSED
    },
    Shape { order_type: "importToAccounts", segment: Some("importToAccount"), ..PLAIN },
];

#[cfg(test)]
mod tests {
    use super::{Kind, SHAPES};
    use crate::order::{ORDER_TYPES, order_type};

    #[test]
    fn every_shape_belongs_to_one_type() {
        let mut seen = std::collections::HashSet::new();
        for shape in SHAPES {
            assert_eq!(order_type(shape.order_type).unwrap().name, shape.order_type);
            assert!(seen.insert(shape.order_type), "{}", shape.order_type);
            let other = shape.segment.and_then(order_type);
            assert_eq!(other, None, "{:?} is another type", shape.segment);
        }
    }

    #[test]
    fn every_type_has_a_shape_under_each_of_its_names() {
        for order_type in ORDER_TYPES {
            for name in std::iter::once(&order_type.name).chain(order_type.aliases) {
                assert_eq!(Kind::of(name).unwrap().order_type(), order_type);
                assert_eq!(Kind::of(&name.to_uppercase()), Kind::of(name));
            }
        }
        let group = Kind::of("EmergencyNotificationGroupOrders").unwrap();
        assert_eq!(group.order_type().name, "emergencyNotificationGroup");
        assert_eq!(Kind::of("importToAccount"), Kind::of("importToAccounts"));
        for unknown in ["", "order", "subscriptions", "ordersOfTheFuture"] {
            assert_eq!(Kind::of(unknown), None, "{unknown}");
        }
    }
}
