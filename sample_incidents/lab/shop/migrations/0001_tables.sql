CREATE TABLE products (id int PRIMARY KEY, page int NOT NULL, name text NOT NULL, price int NOT NULL);
CREATE INDEX products_page_idx ON products (page);
CREATE TABLE orders (
    id bigserial PRIMARY KEY, customer_id int NOT NULL, total int NOT NULL, state text NOT NULL, note text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE carts (
    id bigserial PRIMARY KEY, customer_id int NOT NULL, product_id int NOT NULL, amount int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE payments (
    id bigserial PRIMARY KEY, customer_id int NOT NULL, total int NOT NULL, score real NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE receipts (id bigserial PRIMARY KEY, order_id bigint NOT NULL, sent_at timestamptz NOT NULL DEFAULT now());
