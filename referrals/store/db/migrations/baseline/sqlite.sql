CREATE TABLE api_keys (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    created_at DATETIME NOT NULL,
    revoked_at DATETIME,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash)
);

CREATE UNIQUE INDEX uq_api_keys_name ON api_keys (name) WHERE revoked_at IS NULL;

CREATE TABLE campaigns (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_campaigns_state CHECK (state IN ('archived', 'paused', 'running')),
    version INTEGER NOT NULL,
    conversion_event TEXT NOT NULL,
    publish_on TEXT,
    accepted_count INTEGER NOT NULL CONSTRAINT ck_campaigns_accepted_count CHECK (accepted_count >= 0),
    created_at DATETIME NOT NULL,
    CONSTRAINT pk_campaigns PRIMARY KEY (id)
);

CREATE INDEX ix_campaigns_conversion_event ON campaigns (conversion_event);

CREATE TABLE channel_suspensions (
    id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    template TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    since DATETIME NOT NULL,
    probe_at DATETIME NOT NULL,
    CONSTRAINT pk_channel_suspensions PRIMARY KEY (id),
    CONSTRAINT uq_channel_suspensions_channel_template UNIQUE (channel, template)
);

CREATE TABLE customers (
    id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    normalised_id TEXT NOT NULL,
    contact_key TEXT,
    reward_subject TEXT NOT NULL,
    identified_by TEXT,
    name TEXT,
    email TEXT,
    phone TEXT,
    locale TEXT,
    timezone TEXT,
    consent JSON,
    customer_since DATETIME,
    merged_into TEXT,
    created_at DATETIME NOT NULL,
    CONSTRAINT pk_customers PRIMARY KEY (id),
    CONSTRAINT ck_customers_merged_into CHECK (merged_into <> id),
    CONSTRAINT uq_customers_normalised_id UNIQUE (normalised_id),
    CONSTRAINT uq_customers_contact_key UNIQUE (contact_key),
    CONSTRAINT fk_customers_merged_into FOREIGN KEY(merged_into) REFERENCES customers (id)
);

CREATE INDEX ix_customers_merged ON customers (merged_into) WHERE merged_into IS NOT NULL;

CREATE INDEX ix_customers_phone ON customers (phone);

CREATE TABLE journey_entries (
    "key" TEXT NOT NULL,
    entered_at DATETIME NOT NULL,
    CONSTRAINT pk_journey_entries PRIMARY KEY ("key")
);

CREATE TABLE ledger_accounts (
    id INTEGER NOT NULL,
    kind TEXT NOT NULL CONSTRAINT ck_ledger_accounts_kind CHECK (kind IN ('expired', 'issued', 'owed', 'spent', 'wallet')),
    owner TEXT NOT NULL,
    type TEXT NOT NULL,
    currency TEXT NOT NULL,
    CONSTRAINT pk_ledger_accounts PRIMARY KEY (id),
    CONSTRAINT uq_ledger_accounts_kind_owner_type_currency UNIQUE (kind, owner, type, currency)
);

CREATE TABLE orders (
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    is_known BOOLEAN NOT NULL,
    state JSON NOT NULL,
    created_at DATETIME NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (id),
    CONSTRAINT uq_orders_source_external_id UNIQUE (source, external_id)
);

CREATE INDEX ix_orders_unknown ON orders (id) WHERE NOT is_known;

CREATE TABLE provider_rate_limits (
    provider TEXT NOT NULL,
    next_call_at DATETIME NOT NULL,
    next_turn_at DATETIME NOT NULL,
    CONSTRAINT pk_provider_rate_limits PRIMARY KEY (provider)
);

CREATE TABLE refusals (
    id INTEGER NOT NULL,
    day DATETIME NOT NULL,
    caller TEXT NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    status INTEGER NOT NULL,
    field TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_at DATETIME NOT NULL,
    CONSTRAINT pk_refusals PRIMARY KEY (id),
    CONSTRAINT uq_refusals_day_caller_source_type_status_field UNIQUE (day, caller, source, type, status, field)
);

CREATE INDEX ix_refusals_list ON refusals (last_at, id);

CREATE TABLE advocates (
    id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    confirmed_count INTEGER NOT NULL CONSTRAINT ck_advocates_confirmed_count CHECK (confirmed_count >= 0),
    merged_into TEXT,
    created_at DATETIME NOT NULL,
    CONSTRAINT pk_advocates PRIMARY KEY (id),
    CONSTRAINT uq_advocates_campaign_id_customer_id UNIQUE (campaign_id, customer_id),
    CONSTRAINT fk_advocates_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_advocates_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id),
    CONSTRAINT fk_advocates_merged_into FOREIGN KEY(merged_into) REFERENCES advocates (id)
);

CREATE INDEX ix_advocates_customer_id ON advocates (customer_id);

CREATE INDEX ix_advocates_list ON advocates (campaign_id, id);

CREATE TABLE campaign_versions (
    campaign_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    definition TEXT NOT NULL,
    applied_at DATETIME NOT NULL,
    applied_by TEXT NOT NULL,
    CONSTRAINT pk_campaign_versions PRIMARY KEY (campaign_id, version),
    CONSTRAINT fk_campaign_versions_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id) ON DELETE CASCADE
);

CREATE TABLE consents (
    id INTEGER NOT NULL,
    customer_id TEXT NOT NULL,
    channel TEXT NOT NULL CONSTRAINT ck_consents_channel CHECK (channel IN ('email', 'http', 'whatsapp')),
    purpose TEXT NOT NULL CONSTRAINT ck_consents_purpose CHECK (purpose IN ('marketing', 'service')),
    state TEXT NOT NULL CONSTRAINT ck_consents_state CHECK (state IN ('given', 'withdrawn')),
    source TEXT NOT NULL CONSTRAINT ck_consents_source CHECK (source IN ('api', 'http', 'link', 'list', 'operator', 'whatsapp')),
    at DATETIME NOT NULL,
    CONSTRAINT pk_consents PRIMARY KEY (id),
    CONSTRAINT uq_consents_customer_id_channel_purpose_state_source_at UNIQUE (customer_id, channel, purpose, state, source, at),
    CONSTRAINT fk_consents_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id)
);

CREATE TABLE contacts (
    digest TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    kind TEXT NOT NULL CONSTRAINT ck_contacts_kind CHECK (kind IN ('email', 'lookalike', 'phone')),
    key_id TEXT NOT NULL,
    CONSTRAINT pk_contacts PRIMARY KEY (digest, customer_id, kind),
    CONSTRAINT fk_contacts_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id)
);

CREATE INDEX ix_contacts_customer_id ON contacts (customer_id);

CREATE INDEX ix_contacts_key_id ON contacts (key_id);

CREATE TABLE customer_merges (
    customer_id TEXT NOT NULL,
    into_id TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT,
    at DATETIME NOT NULL,
    report JSON NOT NULL,
    CONSTRAINT pk_customer_merges PRIMARY KEY (customer_id),
    CONSTRAINT fk_customer_merges_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id),
    CONSTRAINT fk_customer_merges_into_id FOREIGN KEY(into_id) REFERENCES customers (id)
);

CREATE TABLE inbox_events (
    id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    occurred_at DATETIME,
    effective_at DATETIME,
    received_at DATETIME NOT NULL,
    actor TEXT NOT NULL,
    campaign_id TEXT,
    customer_id TEXT,
    data JSON NOT NULL,
    warnings JSON NOT NULL,
    left_out JSON NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_inbox_events_state CHECK (state IN ('failed', 'processed', 'queued', 'received')),
    response JSON,
    attempts INTEGER DEFAULT '0' NOT NULL,
    error TEXT,
    retry_at DATETIME,
    CONSTRAINT pk_inbox_events PRIMARY KEY (id),
    CONSTRAINT uq_inbox_events_source_external_id UNIQUE (source, external_id),
    CONSTRAINT fk_inbox_events_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_inbox_events_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id)
);

CREATE INDEX ix_inbox_events_customer ON inbox_events (customer_id, id);

CREATE INDEX ix_inbox_events_open ON inbox_events (id) WHERE state IN ('received', 'queued');

CREATE TABLE omitted_clicks (
    campaign_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT pk_omitted_clicks PRIMARY KEY (campaign_id, reason),
    CONSTRAINT fk_omitted_clicks_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id)
);

CREATE TABLE suppressions (
    id INTEGER NOT NULL,
    customer_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    address_hash TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    reason TEXT NOT NULL,
    since DATETIME NOT NULL,
    CONSTRAINT pk_suppressions PRIMARY KEY (id),
    CONSTRAINT uq_suppressions_customer_id_channel_address_hash UNIQUE (customer_id, channel, address_hash),
    CONSTRAINT fk_suppressions_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id)
);

CREATE TABLE webhooks (
    id TEXT NOT NULL,
    url TEXT NOT NULL,
    events JSON,
    campaign_id TEXT,
    secret TEXT NOT NULL,
    old_secret TEXT,
    old_secret_until DATETIME,
    enabled BOOLEAN NOT NULL,
    reason_code TEXT,
    reason TEXT,
    disabled_at DATETIME,
    failing_since DATETIME,
    last_activity_id BIGINT NOT NULL,
    created_at DATETIME NOT NULL,
    created_by TEXT NOT NULL,
    CONSTRAINT pk_webhooks PRIMARY KEY (id),
    CONSTRAINT ck_webhooks_disabled CHECK (enabled = (disabled_at IS NULL)),
    CONSTRAINT fk_webhooks_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id)
);

CREATE TABLE codes (
    code TEXT NOT NULL,
    "key" TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    advocate_id TEXT,
    sole_code_of_advocate_id TEXT,
    state TEXT NOT NULL CONSTRAINT ck_codes_state CHECK (state IN ('active', 'inactive')),
    uses INTEGER NOT NULL CONSTRAINT ck_codes_uses CHECK (uses >= 0),
    uses_limit INTEGER,
    starts_at DATETIME,
    expires_at DATETIME,
    published_at DATETIME,
    channel TEXT,
    created_at DATETIME NOT NULL,
    CONSTRAINT pk_codes PRIMARY KEY (code),
    CONSTRAINT uq_codes_key UNIQUE ("key"),
    CONSTRAINT fk_codes_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_codes_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT uq_codes_sole_code_of_advocate_id UNIQUE (sole_code_of_advocate_id),
    CONSTRAINT fk_codes_sole_code_of_advocate_id FOREIGN KEY(sole_code_of_advocate_id) REFERENCES advocates (id)
);

CREATE INDEX ix_codes_advocate_id ON codes (advocate_id);

CREATE INDEX ix_codes_list ON codes (campaign_id, created_at, code);

CREATE TABLE clicks (
    id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    advocate_id TEXT NOT NULL,
    code TEXT NOT NULL,
    channel TEXT NOT NULL,
    at DATETIME NOT NULL,
    CONSTRAINT pk_clicks PRIMARY KEY (id),
    CONSTRAINT fk_clicks_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_clicks_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT fk_clicks_code FOREIGN KEY(code) REFERENCES codes (code)
);

CREATE INDEX ix_clicks_advocate ON clicks (advocate_id, channel);

CREATE INDEX ix_clicks_campaign ON clicks (campaign_id, channel);

CREATE TABLE referrals (
    id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    advocate_id TEXT NOT NULL,
    friend_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    code TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_referrals_state CHECK (state IN ('confirmed', 'expired', 'held', 'in_review', 'rejected', 'rewarded', 'rolled_back', 'signed_up')),
    order_id TEXT,
    order_snapshot JSON,
    event_data JSON,
    left_out JSON,
    signed_up_at DATETIME,
    window_ends_at DATETIME,
    converted_at DATETIME,
    rewardable_at DATETIME,
    due_at DATETIME,
    confirmed_at DATETIME,
    closed_at DATETIME,
    reason_code TEXT,
    reason TEXT,
    superseded_by TEXT,
    rolled_back_from TEXT,
    released_at DATETIME,
    reinstated_at DATETIME,
    created_at DATETIME NOT NULL,
    click_id TEXT,
    CONSTRAINT pk_referrals PRIMARY KEY (id),
    CONSTRAINT fk_referrals_campaign_id_version FOREIGN KEY(campaign_id, version) REFERENCES campaign_versions (campaign_id, version),
    CONSTRAINT fk_referrals_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT fk_referrals_friend_id FOREIGN KEY(friend_id) REFERENCES customers (id),
    CONSTRAINT fk_referrals_code FOREIGN KEY(code) REFERENCES codes (code),
    CONSTRAINT fk_referrals_order_id FOREIGN KEY(order_id) REFERENCES orders (id),
    CONSTRAINT fk_referrals_superseded_by FOREIGN KEY(superseded_by) REFERENCES referrals (id)
);

CREATE INDEX ix_referrals_friend_id ON referrals (friend_id);

CREATE INDEX ix_referrals_limits ON referrals (advocate_id, rewardable_at);

CREATE INDEX ix_referrals_list ON referrals (campaign_id, id);

CREATE INDEX ix_referrals_order_id ON referrals (order_id);

CREATE INDEX ix_referrals_workflow_id ON referrals (workflow_id);

CREATE UNIQUE INDEX uq_referrals_click ON referrals (click_id, code) WHERE state NOT IN ('expired', 'rejected') AND released_at IS NULL;

CREATE UNIQUE INDEX uq_referrals_friend ON referrals (campaign_id, friend_id) WHERE state NOT IN ('expired', 'rejected') AND released_at IS NULL AND superseded_by IS NULL;

CREATE UNIQUE INDEX uq_referrals_order ON referrals (campaign_id, order_id) WHERE state NOT IN ('expired', 'rejected', 'signed_up') AND released_at IS NULL;

CREATE TABLE shares (
    event_id TEXT NOT NULL,
    advocate_id TEXT NOT NULL,
    code TEXT NOT NULL,
    channel TEXT NOT NULL,
    at DATETIME NOT NULL,
    CONSTRAINT pk_shares PRIMARY KEY (event_id),
    CONSTRAINT fk_shares_event_id FOREIGN KEY(event_id) REFERENCES inbox_events (id),
    CONSTRAINT fk_shares_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT fk_shares_code FOREIGN KEY(code) REFERENCES codes (code)
);

CREATE INDEX ix_shares_advocate ON shares (advocate_id, channel);

CREATE TABLE milestones (
    id TEXT NOT NULL,
    advocate_id TEXT NOT NULL,
    tier TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    threshold INTEGER NOT NULL,
    occurrence INTEGER NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_milestones_state CHECK (state IN ('lost', 'reached')),
    reached_at DATETIME NOT NULL,
    reached_by TEXT NOT NULL,
    lost_at DATETIME,
    lost_by TEXT,
    duplicate_of TEXT,
    CONSTRAINT pk_milestones PRIMARY KEY (id),
    CONSTRAINT uq_milestones_advocate_id_tier_occurrence UNIQUE (advocate_id, tier, occurrence),
    CONSTRAINT fk_milestones_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT fk_milestones_reached_by FOREIGN KEY(reached_by) REFERENCES referrals (id),
    CONSTRAINT fk_milestones_lost_by FOREIGN KEY(lost_by) REFERENCES referrals (id),
    CONSTRAINT fk_milestones_duplicate_of FOREIGN KEY(duplicate_of) REFERENCES milestones (id)
);

CREATE INDEX ix_milestones_lost_by ON milestones (lost_by);

CREATE INDEX ix_milestones_reached_by ON milestones (reached_by);

CREATE UNIQUE INDEX uq_milestones_reached ON milestones (advocate_id, tier) WHERE state = 'reached' AND duplicate_of IS NULL;

CREATE TABLE tracked_events (
    id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    advocate_id TEXT NOT NULL,
    referral_id TEXT,
    customer_id TEXT NOT NULL,
    sender_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    event TEXT NOT NULL,
    attributes JSON NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_tracked_events_state CHECK (state IN ('dropped', 'failed', 'pending', 'sent')),
    attempts INTEGER DEFAULT '0' NOT NULL,
    last_called_at DATETIME,
    outcome_unknown_until DATETIME,
    error_code TEXT,
    error TEXT,
    failure_cause TEXT CONSTRAINT ck_tracked_events_failure_cause CHECK (failure_cause IN ('credentials', 'customer', 'other', 'outage', 'plan', 'rule', 'setup', 'stock')),
    retry_at DATETIME,
    turn_at DATETIME,
    created_at DATETIME NOT NULL,
    completed_at DATETIME,
    CONSTRAINT pk_tracked_events PRIMARY KEY (id),
    CONSTRAINT uq_tracked_events_key UNIQUE ("key"),
    CONSTRAINT fk_tracked_events_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_tracked_events_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT fk_tracked_events_referral_id FOREIGN KEY(referral_id) REFERENCES referrals (id),
    CONSTRAINT fk_tracked_events_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id)
);

CREATE INDEX ix_tracked_events_customer_id ON tracked_events (customer_id);

CREATE INDEX ix_tracked_events_failed ON tracked_events (failure_cause) WHERE state = 'failed';

CREATE INDEX ix_tracked_events_list ON tracked_events (campaign_id, created_at, id);

CREATE INDEX ix_tracked_events_pending ON tracked_events (sender_id) WHERE state = 'pending';

CREATE TABLE workflow_starts (
    id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    advocate_id TEXT NOT NULL,
    referral_id TEXT,
    sender_id TEXT NOT NULL,
    type TEXT NOT NULL,
    task_queue TEXT NOT NULL,
    namespace TEXT,
    activity_id BIGINT NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_workflow_starts_state CHECK (state IN ('dropped', 'failed', 'pending', 'started')),
    reason TEXT,
    created_at DATETIME NOT NULL,
    completed_at DATETIME,
    CONSTRAINT pk_workflow_starts PRIMARY KEY (id),
    CONSTRAINT uq_workflow_starts_key UNIQUE ("key"),
    CONSTRAINT fk_workflow_starts_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_workflow_starts_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT fk_workflow_starts_referral_id FOREIGN KEY(referral_id) REFERENCES referrals (id)
);

CREATE INDEX ix_workflow_starts_failed ON workflow_starts (id) WHERE state = 'failed';

CREATE INDEX ix_workflow_starts_list ON workflow_starts (campaign_id, id);

CREATE INDEX ix_workflow_starts_pending ON workflow_starts (sender_id) WHERE state = 'pending';

CREATE TABLE rewards (
    id TEXT NOT NULL,
    origin TEXT NOT NULL,
    key_prefix TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    "key" TEXT NOT NULL GENERATED ALWAYS AS (key_prefix || '/' || CAST(occurrence AS TEXT)) STORED,
    campaign_id TEXT NOT NULL,
    referral_id TEXT,
    milestone_id TEXT,
    side TEXT NOT NULL CONSTRAINT ck_rewards_side CHECK (side IN ('advocate', 'friend')),
    tier TEXT,
    customer_id TEXT NOT NULL,
    issued_to TEXT,
    type TEXT NOT NULL CONSTRAINT ck_rewards_type CHECK (type IN ('coupon', 'gift_credit', 'points')),
    amount BIGINT NOT NULL CONSTRAINT ck_rewards_amount CHECK (amount > 0),
    currency TEXT,
    repaid BIGINT CONSTRAINT ck_rewards_repaid CHECK (repaid BETWEEN 0 AND amount),
    state TEXT NOT NULL CONSTRAINT ck_rewards_state CHECK (state IN ('failed', 'granted', 'granting', 'pending', 'rolled_back', 'rolling_back', 'voided')),
    due_at DATETIME,
    provider TEXT DEFAULT 'ledger' NOT NULL,
    target JSON,
    approval TEXT CONSTRAINT ck_rewards_approval CHECK (approval IN ('awaited', 'given')),
    approved_at DATETIME,
    accepted_by_provider_at DATETIME,
    last_called_at DATETIME,
    outcome_unknown_until DATETIME,
    reference TEXT,
    attempts INTEGER DEFAULT '0' NOT NULL,
    error_code TEXT,
    error TEXT,
    failure_cause TEXT CONSTRAINT ck_rewards_failure_cause CHECK (failure_cause IN ('credentials', 'customer', 'other', 'outage', 'plan', 'rule', 'setup', 'stock')),
    retry_at DATETIME,
    turn_at DATETIME,
    granted_at DATETIME,
    expires_at DATETIME,
    expired_at DATETIME,
    closed_at DATETIME,
    undone_with_referral BOOLEAN DEFAULT 0 NOT NULL,
    reason TEXT,
    created_at DATETIME NOT NULL,
    CONSTRAINT pk_rewards PRIMARY KEY (id),
    CONSTRAINT uq_rewards_key_prefix_occurrence UNIQUE (key_prefix, occurrence),
    CONSTRAINT ck_rewards_origin CHECK ((referral_id IS NULL) <> (milestone_id IS NULL)),
    CONSTRAINT uq_rewards_origin UNIQUE (origin),
    CONSTRAINT fk_rewards_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT fk_rewards_referral_id FOREIGN KEY(referral_id) REFERENCES referrals (id),
    CONSTRAINT fk_rewards_milestone_id FOREIGN KEY(milestone_id) REFERENCES milestones (id),
    CONSTRAINT fk_rewards_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id),
    CONSTRAINT fk_rewards_issued_to FOREIGN KEY(issued_to) REFERENCES customers (id)
);

CREATE INDEX ix_rewards_customer_id ON rewards (customer_id);

CREATE INDEX ix_rewards_expiring ON rewards (expires_at) WHERE expired_at IS NULL AND state = 'granted' AND expires_at IS NOT NULL;

CREATE INDEX ix_rewards_failed ON rewards (failure_cause) WHERE state = 'failed';

CREATE INDEX ix_rewards_list ON rewards (campaign_id, created_at, id);

CREATE INDEX ix_rewards_milestone ON rewards (milestone_id) WHERE milestone_id IS NOT NULL;

CREATE INDEX ix_rewards_referral_id ON rewards (referral_id);

CREATE INDEX ix_rewards_to_approve ON rewards (campaign_id, created_at, id) WHERE state = 'pending' AND approval = 'awaited';

CREATE UNIQUE INDEX uq_rewards_milestone_tier ON rewards (milestone_id) WHERE milestone_id IS NOT NULL AND tier IS NOT NULL;

CREATE TABLE activity (
    id INTEGER NOT NULL,
    type TEXT NOT NULL,
    at DATETIME NOT NULL,
    actor TEXT NOT NULL,
    campaign_id TEXT,
    code TEXT,
    advocate_id TEXT,
    referral_id TEXT,
    milestone_id TEXT,
    reward_id TEXT,
    customer_id TEXT,
    reason_code TEXT,
    reason TEXT,
    data JSON NOT NULL,
    CONSTRAINT pk_activity PRIMARY KEY (id),
    CONSTRAINT fk_activity_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT fk_activity_referral_id FOREIGN KEY(referral_id) REFERENCES referrals (id),
    CONSTRAINT fk_activity_milestone_id FOREIGN KEY(milestone_id) REFERENCES milestones (id),
    CONSTRAINT fk_activity_reward_id FOREIGN KEY(reward_id) REFERENCES rewards (id),
    CONSTRAINT fk_activity_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id)
);

CREATE INDEX ix_activity_campaign ON activity (campaign_id, id);

CREATE INDEX ix_activity_referral ON activity (referral_id, id);

CREATE INDEX ix_activity_rules ON activity (campaign_id) WHERE reason_code IN ('rule_failed', 'rule_broken');

CREATE TABLE coupons (
    code TEXT NOT NULL,
    "key" TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    pool TEXT,
    state TEXT NOT NULL CONSTRAINT ck_coupons_state CHECK (state IN ('available', 'issued', 'redeemed', 'void')),
    reward_id TEXT,
    customer_id TEXT,
    discount JSON,
    expires_at DATETIME,
    created_at DATETIME NOT NULL,
    issued_at DATETIME,
    redeemed_at DATETIME,
    voided_at DATETIME,
    CONSTRAINT pk_coupons PRIMARY KEY (code),
    CONSTRAINT ck_coupons_owner CHECK ((state = 'available') = (reward_id IS NULL)),
    CONSTRAINT uq_coupons_key UNIQUE ("key"),
    CONSTRAINT fk_coupons_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
    CONSTRAINT uq_coupons_reward_id UNIQUE (reward_id),
    CONSTRAINT fk_coupons_reward_id FOREIGN KEY(reward_id) REFERENCES rewards (id),
    CONSTRAINT fk_coupons_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id)
);

CREATE INDEX ix_coupons_customer ON coupons (customer_id) WHERE customer_id IS NOT NULL;

CREATE INDEX ix_coupons_pool ON coupons (campaign_id, pool, state, code);

CREATE TABLE journey_runs (
    id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    journey TEXT NOT NULL,
    subject TEXT NOT NULL,
    activity_id BIGINT NOT NULL,
    occurrence TEXT NOT NULL,
    advocate_id TEXT NOT NULL,
    friend_id TEXT,
    referral_id TEXT,
    milestone_id TEXT,
    reward_id TEXT,
    state TEXT NOT NULL CONSTRAINT ck_journey_runs_state CHECK (state IN ('done', 'exited', 'held', 'running', 'starting')),
    step_index INTEGER NOT NULL,
    wake_at DATETIME,
    awaited_event TEXT,
    awaited_event_received BOOLEAN NOT NULL,
    exit_on JSON NOT NULL,
    notifier_workflow_id TEXT,
    reason_code TEXT,
    reason TEXT,
    started_at DATETIME NOT NULL,
    ended_at DATETIME,
    CONSTRAINT pk_journey_runs PRIMARY KEY (id),
    CONSTRAINT fk_journey_runs_campaign_id_version FOREIGN KEY(campaign_id, version) REFERENCES campaign_versions (campaign_id, version),
    CONSTRAINT uq_journey_runs_key UNIQUE ("key"),
    CONSTRAINT fk_journey_runs_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT fk_journey_runs_friend_id FOREIGN KEY(friend_id) REFERENCES customers (id),
    CONSTRAINT fk_journey_runs_referral_id FOREIGN KEY(referral_id) REFERENCES referrals (id),
    CONSTRAINT fk_journey_runs_milestone_id FOREIGN KEY(milestone_id) REFERENCES milestones (id),
    CONSTRAINT fk_journey_runs_reward_id FOREIGN KEY(reward_id) REFERENCES rewards (id)
);

CREATE INDEX ix_journey_runs_listening ON journey_runs (advocate_id) WHERE state IN ('held', 'running', 'starting');

CREATE INDEX ix_journey_runs_open ON journey_runs (campaign_id) WHERE state IN ('held', 'running', 'starting');

CREATE INDEX ix_journey_runs_to_notify ON journey_runs (notifier_workflow_id) WHERE notifier_workflow_id IS NOT NULL;

CREATE TABLE ledger_entries (
    id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    debit_id INTEGER NOT NULL,
    credit_id INTEGER NOT NULL,
    amount BIGINT NOT NULL CONSTRAINT ck_ledger_entries_amount CHECK (amount > 0),
    reward_id TEXT,
    reverses_id INTEGER,
    at DATETIME NOT NULL,
    memo TEXT NOT NULL,
    CONSTRAINT pk_ledger_entries PRIMARY KEY (id),
    CONSTRAINT ck_ledger_entries_two_accounts CHECK (debit_id <> credit_id),
    CONSTRAINT uq_ledger_entries_key UNIQUE ("key"),
    CONSTRAINT fk_ledger_entries_debit_id FOREIGN KEY(debit_id) REFERENCES ledger_accounts (id),
    CONSTRAINT fk_ledger_entries_credit_id FOREIGN KEY(credit_id) REFERENCES ledger_accounts (id),
    CONSTRAINT fk_ledger_entries_reward_id FOREIGN KEY(reward_id) REFERENCES rewards (id),
    CONSTRAINT fk_ledger_entries_reverses_id FOREIGN KEY(reverses_id) REFERENCES ledger_entries (id)
);

CREATE INDEX ix_ledger_entries_credit ON ledger_entries (credit_id, amount);

CREATE INDEX ix_ledger_entries_debit ON ledger_entries (debit_id, amount);

CREATE INDEX ix_ledger_entries_reverses_id ON ledger_entries (reverses_id);

CREATE INDEX ix_ledger_entries_reward_id ON ledger_entries (reward_id);

CREATE TABLE messages (
    id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    journey TEXT NOT NULL,
    event TEXT NOT NULL,
    template TEXT NOT NULL,
    channels JSON NOT NULL,
    customer_id TEXT,
    advocate_id TEXT NOT NULL,
    referral_id TEXT,
    milestone_id TEXT,
    reward_id TEXT,
    sender_id TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_messages_state CHECK (state IN ('delivered', 'failed', 'pending', 'read', 'sent')),
    purpose TEXT,
    unsubscribe_token TEXT,
    not_before DATETIME,
    channel TEXT,
    reference TEXT,
    subject TEXT,
    text TEXT,
    reason_code TEXT,
    reason TEXT,
    created_at DATETIME NOT NULL,
    completed_at DATETIME,
    delivered_at DATETIME,
    read_at DATETIME,
    CONSTRAINT pk_messages PRIMARY KEY (id),
    CONSTRAINT fk_messages_campaign_id_version FOREIGN KEY(campaign_id, version) REFERENCES campaign_versions (campaign_id, version),
    CONSTRAINT ck_messages_operator CHECK (customer_id IS NOT NULL OR unsubscribe_token IS NULL),
    CONSTRAINT uq_messages_key UNIQUE ("key"),
    CONSTRAINT fk_messages_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id),
    CONSTRAINT fk_messages_advocate_id FOREIGN KEY(advocate_id) REFERENCES advocates (id),
    CONSTRAINT fk_messages_referral_id FOREIGN KEY(referral_id) REFERENCES referrals (id),
    CONSTRAINT fk_messages_milestone_id FOREIGN KEY(milestone_id) REFERENCES milestones (id),
    CONSTRAINT fk_messages_reward_id FOREIGN KEY(reward_id) REFERENCES rewards (id),
    CONSTRAINT uq_messages_unsubscribe_token UNIQUE (unsubscribe_token)
);

CREATE INDEX ix_messages_customer ON messages (customer_id);

CREATE INDEX ix_messages_list ON messages (campaign_id, id);

CREATE INDEX ix_messages_pending ON messages (sender_id) WHERE state = 'pending';

CREATE TABLE coupon_redemptions (
    customer_id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    code TEXT NOT NULL,
    redeemed_at DATETIME NOT NULL,
    reversed_at DATETIME,
    reason TEXT,
    CONSTRAINT pk_coupon_redemptions PRIMARY KEY (customer_id, "key"),
    CONSTRAINT fk_coupon_redemptions_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id),
    CONSTRAINT fk_coupon_redemptions_code FOREIGN KEY(code) REFERENCES coupons (code)
);

CREATE UNIQUE INDEX uq_coupon_redemptions_code ON coupon_redemptions (code) WHERE reversed_at IS NULL;

CREATE TABLE message_deliveries (
    id INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_message_deliveries_state CHECK (state IN ('delivered', 'failed', 'outcome_unknown', 'read', 'retryable', 'sending', 'sent')),
    attempt INTEGER NOT NULL,
    claimed_at DATETIME NOT NULL,
    outcome_unknown_at DATETIME,
    address_hash TEXT,
    reference TEXT,
    reason_code TEXT,
    reason TEXT,
    CONSTRAINT pk_message_deliveries PRIMARY KEY (id),
    CONSTRAINT uq_message_deliveries_message_id_channel UNIQUE (message_id, channel),
    CONSTRAINT fk_message_deliveries_message_id FOREIGN KEY(message_id) REFERENCES messages (id)
);

CREATE INDEX ix_message_deliveries_reference ON message_deliveries (channel, reference);

CREATE TABLE webhook_deliveries (
    id INTEGER NOT NULL,
    webhook_id TEXT,
    activity_id INTEGER NOT NULL,
    "key" TEXT,
    url TEXT,
    campaign_id TEXT,
    type TEXT NOT NULL,
    subject TEXT,
    concurrency_group TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_webhook_deliveries_state CHECK (state IN ('delivered', 'dropped', 'failed', 'pending')),
    attempts INTEGER NOT NULL,
    due_at DATETIME,
    status INTEGER,
    error TEXT,
    created_at DATETIME NOT NULL,
    completed_at DATETIME,
    CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id),
    CONSTRAINT uq_webhook_deliveries_webhook_id_activity_id UNIQUE (webhook_id, activity_id),
    CONSTRAINT ck_webhook_deliveries_key CHECK ((webhook_id IS NULL) = (key IS NOT NULL)),
    CONSTRAINT ck_webhook_deliveries_due CHECK ((state = 'pending') = (due_at IS NOT NULL)),
    CONSTRAINT fk_webhook_deliveries_webhook_id FOREIGN KEY(webhook_id) REFERENCES webhooks (id),
    CONSTRAINT fk_webhook_deliveries_activity_id FOREIGN KEY(activity_id) REFERENCES activity (id),
    CONSTRAINT uq_webhook_deliveries_key UNIQUE ("key")
);

CREATE INDEX ix_webhook_deliveries_campaign ON webhook_deliveries (campaign_id, id);

CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (concurrency_group, due_at, id) WHERE state = 'pending';

CREATE INDEX ix_webhook_deliveries_failed ON webhook_deliveries (id) WHERE state = 'failed';

CREATE INDEX ix_webhook_deliveries_list ON webhook_deliveries (webhook_id, id);

CREATE INDEX ix_webhook_deliveries_order ON webhook_deliveries (webhook_id, subject, activity_id) WHERE state = 'pending';

CREATE TRIGGER activity_refuse_update BEFORE UPDATE ON activity
BEGIN SELECT RAISE(ABORT, 'activity is append-only'); END;

CREATE TRIGGER activity_refuse_delete BEFORE DELETE ON activity
BEGIN SELECT RAISE(ABORT, 'activity is append-only'); END;

CREATE TRIGGER campaign_versions_refuse_update BEFORE UPDATE ON campaign_versions
BEGIN SELECT RAISE(ABORT, 'campaign_versions is append-only'); END;

CREATE TRIGGER campaign_versions_refuse_delete BEFORE DELETE ON campaign_versions
WHEN EXISTS (SELECT 1 FROM campaigns WHERE id = OLD.campaign_id)
BEGIN SELECT RAISE(ABORT, 'campaign_versions is append-only'); END;

CREATE TRIGGER ledger_entries_refuse_update BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;

CREATE TRIGGER ledger_entries_refuse_delete BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
