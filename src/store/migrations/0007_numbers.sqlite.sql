-- “Tidi”, for programs that want to know whose file this is.
PRAGMA application_id = 1416193129;
