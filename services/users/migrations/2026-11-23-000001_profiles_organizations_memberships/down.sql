DROP TABLE profiles;
DROP TABLE memberships;
DROP TABLE organizations;
