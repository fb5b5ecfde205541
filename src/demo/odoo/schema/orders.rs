//! Sales and purchases, as far as transfers come from them.

use super::Kind::{Many, Number, One, Text};
use super::{Model, field};

pub const MODELS: &[Model] = &[
    (
        "stock.reference",
        "Reference between stock documents",
        &[field("name", Text, "Reference")],
    ),
    (
        "sale.order",
        "Sales Order",
        &[
            field("name", Text, "Order Reference"),
            field("state", Text, "Status"),
            field("partner_id", One("res.partner"), "Customer"),
            field("warehouse_id", One("stock.warehouse"), "Warehouse"),
            field(
                "order_line",
                Many("sale.order.line", "order_id"),
                "Order Lines",
            ),
            field("picking_ids", Many("stock.picking", "sale_id"), "Transfers"),
        ],
    ),
    (
        "sale.order.line",
        "Sales Order Line",
        &[
            field("order_id", One("sale.order"), "Order Reference"),
            field("product_id", One("product.product"), "Product"),
            field("product_uom_id", One("uom.uom"), "Unit"),
            field("product_uom_qty", Number, "Quantity"),
            field("qty_delivered", Number, "Delivery Quantity"),
        ],
    ),
    (
        "purchase.order",
        "Purchase Order",
        &[
            field("name", Text, "Order Reference"),
            field("state", Text, "Status"),
            field("partner_id", One("res.partner"), "Vendor"),
            field("picking_type_id", One("stock.picking.type"), "Deliver To"),
            field(
                "order_line",
                Many("purchase.order.line", "order_id"),
                "Order Lines",
            ),
            field(
                "picking_ids",
                Many("stock.picking", "purchase_id"),
                "Receptions",
            ),
        ],
    ),
    (
        "purchase.order.line",
        "Purchase Order Line",
        &[
            field("order_id", One("purchase.order"), "Order Reference"),
            field("product_id", One("product.product"), "Product"),
            field("product_uom_id", One("uom.uom"), "Unit"),
            field("product_qty", Number, "Quantity"),
            field("price_unit", Number, "Unit Price"),
            field("qty_received", Number, "Received Qty"),
        ],
    ),
];
