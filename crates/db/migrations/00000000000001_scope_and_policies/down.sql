DROP FUNCTION protect_table(regclass, text, text);
DROP FUNCTION service_role(text);
DROP FUNCTION app_user();
DROP FUNCTION app_org();
