-- What pgbench's own select-only script asks, and a look at the answer: a wrong one ends the client.
\set wanted random(1, 100000 * :scale)
SELECT aid AS found, abalance FROM pgbench_accounts WHERE aid = :wanted \gset
\if :found <> :wanted
SELECT 'the answer is of another account'::integer;
\endif
