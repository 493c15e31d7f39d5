-- Policies first: two of them look into another table.
DROP POLICY colleagues ON profiles;
DROP POLICY own_organizations ON organizations;
DROP TABLE profiles;
DROP TABLE memberships;
DROP TABLE organizations;
