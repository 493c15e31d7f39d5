-- Whether what was there before the model was known has been queued for it. Until then it cannot take over.
ALTER TABLE spaces ADD COLUMN queued boolean NOT NULL DEFAULT false;
