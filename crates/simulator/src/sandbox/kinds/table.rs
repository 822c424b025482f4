//! The order types, one row each.
//!
//! Which states are notified is what Bandwidth's table of order types says, with `SNAPBACK` for
//! port-ins from its page on managing orders. No document has such states for
//! `tollfreePortingValidations` and `importToAccounts`: here, the final ones.

use super::{Dates, Form, Kind, Leg};
use crate::sandbox::scenario::Wait;

const fn leg(state: &'static str, after_s: i64) -> Leg {
    Leg { state, after_s, wait: None }
}

const HOUR_S: i64 = 60 * 60;

const LONG: &[Leg] = &[leg("RECEIVED", 0), leg("PROCESSING", 2), leg("COMPLETE", 60)];
const SHORT: &[Leg] = &[leg("PROCESSING", 0), leg("COMPLETE", 60)];
const ENDS: &[&str] = &["COMPLETE", "PARTIAL", "FAILED"];

/// Some parts of the rows that most share.
const FORM: Form = Form {
    created: &[],
    got: &[],
    status: "ProcessingStatus",
    list: &["ResponseSelectWrapper", "ListOrderIdUserIdDate"],
    entry: "OrderIdUserIdDate",
    entry_id: "OrderId",
    entry_type: "",
    entry_status: "OrderStatus",
};
const KIND: Kind = Kind {
    order_type: "",
    path: "",
    course: LONG,
    detours: &["PARTIAL", "FAILED"],
    notified: ENDS,
    terminal: ENDS,
    has_history: true,
    has_notes: false,
    dates: Dates::Ranges,
    empty_is_404: false,
    form: FORM,
};

pub static KINDS: &[Kind] = &[
    Kind {
        order_type: "orders",
        path: "orders",
        course: &[leg("RECEIVED", 0), leg("COMPLETE", 1)],
        detours: &["PARTIAL", "FAILED", "BACKORDERED"],
        notified: &["COMPLETE", "PARTIAL", "BACKORDERED", "FAILED"],
        has_notes: true,
        dates: Dates::Created,
        form: Form { entry_id: "orderId", entry_type: "new_number", ..FORM },
        ..KIND
    },
    Kind {
        order_type: "portins",
        path: "portins",
        course: &[
            leg("PENDING_DOCUMENTS", 0),
            leg("SUBMITTED", 5),
            leg("FOC", 24 * HOUR_S),
            leg("COMPLETE", 48 * HOUR_S),
        ],
        detours: &[
            "DRAFT",
            "EXCEPTION",
            "REQUESTED_SUPP",
            "SNAPBACK",
            "REQUESTED_CANCEL",
            "CANCELLED",
        ],
        notified: &[
            "PENDING_DOCUMENTS",
            "SUBMITTED",
            "FOC",
            "REQUESTED_SUPP",
            "COMPLETE",
            "CANCELLED",
            "EXCEPTION",
            "REQUESTED_CANCEL",
            "SNAPBACK",
        ],
        terminal: &["COMPLETE", "CANCELLED"],
        has_notes: true,
        dates: Dates::Modified,
        form: Form {
            list: &["LNPResponseWrapper"],
            entry: "lnpPortInfoForGivenStatus",
            entry_type: "port_in",
            entry_status: "ProcessingStatus",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "portouts",
        path: "portouts",
        course: &[leg("NEW", 0), leg("COMPLETE", 24 * HOUR_S)],
        detours: &[
            "SUPP",
            "MODIFY",
            "CANCELLED",
            "VALIDATION_FAILED_NEW",
            "VALIDATION_FAILED_SUPP",
            "VALIDATION_FAILED_MODIFY",
            "EXCEPTION",
            "SOA_PENDING",
            "SOA_CONFLICT",
        ],
        notified: &["COMPLETE"],
        terminal: &["COMPLETE", "CANCELLED"],
        has_history: false,
        has_notes: true,
        dates: Dates::Modified,
        form: Form {
            created: &["LnpOrderResponse"],
            got: &["LnpOrderResponse"],
            status: "PortOutStatus",
            list: &["LNPResponseWrapper"],
            entry: "lnpPortInfoForGivenStatus",
            entry_type: "port_out",
            entry_status: "PortOutStatus",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "disconnects",
        path: "disconnects",
        course: &[leg("RECEIVED", 0), leg("PROCESSING", 1), leg("COMPLETE", 5)],
        has_history: false,
        has_notes: true,
        dates: Dates::Modified,
        empty_is_404: true,
        form: Form { entry_type: "disconnect", ..FORM },
        ..KIND
    },
    Kind {
        order_type: "dldas",
        path: "dldas",
        notified: &["RECEIVED", "PROCESSING", "COMPLETE", "PARTIAL", "FAILED"],
        form: Form {
            created: &["DldaOrderResponse", "DldaOrder"],
            got: &["DldaOrderResponse", "DldaOrder"],
            entry_id: "orderId",
            entry_type: "dlda",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "lsrorders",
        path: "lsrorders",
        course: &[leg("PENDING", 0), leg("FOC", 24 * HOUR_S), leg("COMPLETE", 48 * HOUR_S)],
        detours: &["EXCEPTION", "CANCELLED", "PARTIAL", "FAILED"],
        notified: &["PENDING", "FOC", "EXCEPTION", "COMPLETE", "CANCELLED", "PARTIAL", "FAILED"],
        terminal: &["COMPLETE", "CANCELLED", "PARTIAL", "FAILED"],
        has_notes: true,
        form: Form {
            created: &["LsrOrderResponse"],
            got: &["LsrOrder"],
            status: "OrderStatus",
            list: &["LsrOrders"],
            entry: "LsrOrderSummary",
            entry_type: "lsr",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "e911s",
        path: "e911s",
        detours: &["ADJUSTED_COMPLETE", "PARTIAL", "ADJUSTED_PARTIAL", "FAILED"],
        notified: &[
            "RECEIVED",
            "PROCESSING",
            "COMPLETE",
            "ADJUSTED_COMPLETE",
            "PARTIAL",
            "ADJUSTED_PARTIAL",
            "FAILED",
        ],
        terminal: &["COMPLETE", "ADJUSTED_COMPLETE", "PARTIAL", "ADJUSTED_PARTIAL", "FAILED"],
        form: Form {
            created: &["E911OrderResponse", "E911Order"],
            got: &["E911Order"],
            list: &["E911Orders"],
            entry: "E911OrderSummary",
            entry_type: "e911",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "tnoptions",
        path: "tnoptions",
        notified: &["RECEIVED", "PROCESSING", "COMPLETE", "PARTIAL", "FAILED"],
        form: Form {
            created: &["TnOptionOrderResponse", "TnOptionOrder"],
            got: &["TnOptionOrder"],
            list: &["TnOptionOrders"],
            entry: "TnOptionOrderSummary",
            entry_type: "tn_option",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "externalTns",
        path: "externalTns",
        has_history: false,
        empty_is_404: true,
        form: Form {
            created: &["ExternalTnsOrderResponse", "ExternalTnsOrder"],
            got: &["ExternalTnsOrder"],
            list: &["ExternalTnsOrders"],
            entry: "ExternalTnsOrder",
            entry_type: "external_tns",
            entry_status: "ProcessingStatus",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "lidb",
        path: "lidbs",
        course: &[leg("PENDING", 0), leg("RECEIVED", 1), leg("PROCESSING", 2), leg("COMPLETE", 60)],
        detours: &["PARTIAL", "FAILED", "CANCELLED"],
        notified: &["PROCESSING", "COMPLETE", "PARTIAL", "FAILED"],
        terminal: &["COMPLETE", "PARTIAL", "FAILED", "CANCELLED"],
        has_history: false,
        form: Form {
            created: &["LidbOrderResponse", "LidbOrder"],
            got: &["LidbOrder"],
            entry_id: "orderId",
            entry_type: "lidb",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "bulkPortins",
        path: "bulkPortins",
        course: &[
            leg("DRAFT", 0),
            Leg { state: "IN_PROGRESS", after_s: 1, wait: Some(Wait::Submit) },
            leg("COMPLETED", 72 * HOUR_S),
        ],
        detours: &["NEEDS_ATTENTION", "PARTIAL", "CANCELLED"],
        notified: &["DRAFT", "IN_PROGRESS", "NEEDS_ATTENTION", "PARTIAL", "COMPLETED", "CANCELLED"],
        terminal: &["COMPLETED", "CANCELLED"],
        has_notes: true,
        form: Form {
            created: &["BulkPortinResponse", "BulkPortin"],
            got: &["BulkPortinResponse", "BulkPortin"],
            list: &["BulkPortinResponses"],
            entry: "BulkPortinResponse",
            entry_type: "bulk_port_in",
            entry_status: "ProcessingStatus",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "importtnorders",
        path: "importTnOrders",
        detours: &["PARTIAL", "FAILED", "EXCEPTION"],
        notified: &["COMPLETE", "PARTIAL", "FAILED", "EXCEPTION"],
        form: Form {
            created: &["ImportTnOrderResponse", "ImportTnOrder"],
            got: &["ImportTnOrder"],
            list: &["ImportTnOrders"],
            entry: "ImportTnOrderSummary",
            entry_type: "import_tn_orders",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "removeImportedTnOrders",
        path: "removeImportedTnOrders",
        notified: &["PROCESSING", "COMPLETE", "PARTIAL", "FAILED"],
        form: Form {
            created: &["RemoveImportedTnOrderResponse", "RemoveImportedTnOrder"],
            got: &["RemoveImportedTnOrder"],
            list: &["RemoveImportedTnOrders"],
            entry: "RemoveImportedTnOrderSummary",
            entry_type: "remove_imported_tn_orders",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "importVoiceTnOrders",
        path: "importVoiceTnOrders",
        detours: &["PARTIAL", "FAILED", "EXCEPTION"],
        notified: &["COMPLETE", "PARTIAL", "FAILED", "EXCEPTION"],
        form: Form {
            created: &["ImportVoiceTnOrderResponse", "ImportVoiceTnOrder"],
            got: &["ImportVoiceTnOrder"],
            list: &["ImportVoiceTnOrders"],
            entry: "ImportVoiceTnOrderSummary",
            entry_type: "import_voice_tn_orders",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "removeImportedVoiceTnOrders",
        path: "removeImportedVoiceTnOrders",
        notified: &["PROCESSING", "COMPLETE", "PARTIAL", "FAILED"],
        form: Form {
            created: &["RemoveImportedVoiceTnOrderResponse", "RemoveImportedVoiceTnOrder"],
            got: &["RemoveImportedVoiceTnOrder"],
            list: &["RemoveImportedVoiceTnOrders"],
            entry: "RemoveImportedVoiceTnOrderSummary",
            entry_type: "remove_imported_voice_tn_orders",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "csrs",
        path: "csrs",
        detours: &["FAILED", "ACTION_REQUIRED", "REQUESTED_CANCEL", "CANCELLED"],
        notified: &["COMPLETE", "FAILED", "ACTION_REQUIRED"],
        terminal: &["COMPLETE", "FAILED", "CANCELLED"],
        has_history: false,
        has_notes: true,
        form: Form {
            created: &["CsrResponse"],
            got: &["CsrResponse"],
            status: "Status",
            list: &["Csrs"],
            entry: "CsrSummary",
            entry_type: "csr",
            entry_status: "Status",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "emergencyNotificationGroup",
        path: "emergencyNotificationGroupOrders",
        course: SHORT,
        detours: &["FAILED"],
        notified: &["COMPLETE", "FAILED"],
        terminal: &["COMPLETE", "FAILED"],
        has_history: false,
        form: Form {
            created: &["EmergencyNotificationGroupOrderResponse"],
            got: &["EmergencyNotificationGroupOrderResponse"],
            list: &["EmergencyNotificationGroupOrderResponse", "EmergencyNotificationGroupOrders"],
            entry: "EmergencyNotificationGroupOrder",
            entry_type: "emergency_notification_group",
            entry_status: "ProcessingStatus",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "emergencyEndpointGroup",
        path: "emergencyNotificationEndpointOrders",
        course: SHORT,
        detours: &["FAILED"],
        notified: &["COMPLETE", "FAILED"],
        terminal: &["COMPLETE", "FAILED"],
        has_history: false,
        form: Form {
            created: &["EmergencyNotificationEndpointOrderResponse"],
            got: &["EmergencyNotificationEndpointOrderResponse"],
            list: &[
                "EmergencyNotificationEndpointOrderResponse",
                "EmergencyNotificationEndpointOrders",
            ],
            entry: "EmergencyNotificationEndpointOrder",
            entry_type: "emergency_endpoint_group",
            entry_status: "ProcessingStatus",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "tollfreePortingValidations",
        path: "tollFreePortingValidations",
        course: &[leg("SUBMITTED", 0), leg("PROCESSING", 2), leg("COMPLETE", 60)],
        detours: &["FAILED", "CANCELLED"],
        notified: &["COMPLETE", "FAILED", "CANCELLED"],
        terminal: &["COMPLETE", "FAILED", "CANCELLED"],
        has_history: false,
        form: Form {
            created: &["TollFreePortingValidationResponse", "TollFreePortingValidation"],
            got: &["TollFreePortingValidationResponse", "TollFreePortingValidation"],
            list: &["TollFreePortingValidations"],
            entry: "TollFreePortingValidation",
            entry_type: "toll_free_porting_validation",
            entry_status: "ProcessingStatus",
            ..FORM
        },
        ..KIND
    },
    Kind {
        order_type: "importToAccounts",
        path: "importToAccounts",
        form: Form {
            created: &["ImportToAccountResponse", "ImportToAccountOrder"],
            got: &["ImportToAccountResponse", "ImportToAccountOrder"],
            entry_type: "import_to_account",
            ..FORM
        },
        ..KIND
    },
];
