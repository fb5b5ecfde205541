# Fed to `odoo shell` on the template database. It switches on what warehouses use, and adds a
# simulated site of 200 bins (LOC-BIN-0000 ...) and 500 products (SKU00000 ..., EAN-13 barcodes from
# 4000000000006 on). Of each 50 products the first is tracked by lot and the second by serial
# number; the others have 10,000 pieces each.
import datetime

env['res.config.settings'].create({
    'group_stock_multi_locations': True, 'group_stock_production_lot': True, 'group_stock_tracking_lot': True,
}).execute()
warehouse = env.ref('stock.warehouse0')
bins = env['stock.location'].create([
    {'name': f'BIN-{i:04d}', 'barcode': f'LOC-BIN-{i:04d}', 'location_id': warehouse.lot_stock_id.id, 'usage': 'internal'}
    for i in range(200)])


def ean13(body):
    total = sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(body))
    return body + str(-total % 10)


tracking = {0: 'lot', 1: 'serial'}
products = env['product.product'].create([
    {'name': f'Item {i}', 'default_code': f'SKU{i:05d}', 'barcode': ean13(str(400000000000 + i)),
     'type': 'consu', 'is_storable': True, 'tracking': tracking.get(i % 50, 'none')}
    for i in range(500)])
quants = env['stock.quant'].with_context(inventory_mode=True)
for i, product in enumerate(products):
    if product.tracking == 'none':
        quants.create({'product_id': product.id, 'location_id': bins[i % 200].id, 'inventory_quantity': 10000}).action_apply_inventory()

user = env['res.users'].create({
    'name': 'Gateway', 'login': 'gateway',
    'group_ids': [(6, 0, [env.ref('base.group_user').id, env.ref('stock.group_stock_user').id])]})
until = datetime.datetime.now() + datetime.timedelta(days=80)
key = env['res.users.apikeys'].with_user(user)._generate('rpc', 'gateway', until)
admin_key = env['res.users.apikeys'].with_user(env.ref('base.user_admin'))._generate('rpc', 'tests', until)
env.cr.commit()
print('ODOO_API_KEY=' + key)
print('ODOO_ADMIN_API_KEY=' + admin_key)
