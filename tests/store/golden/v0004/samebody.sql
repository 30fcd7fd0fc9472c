BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE api_keys (
	name TEXT NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	scopes JSON NOT NULL, 
	secret_sha256 VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	expires DATETIME, 
	revoked DATETIME, 
	last_used DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_api_keys PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_api_keys_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE audit_checkpoints (
	tenant VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	size INTEGER NOT NULL, 
	root VARCHAR(64) NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	public_key VARCHAR(64) NOT NULL, 
	signature VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_audit_checkpoints PRIMARY KEY (tenant, number), 
	CONSTRAINT fk_audit_checkpoints_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "audit_checkpoints" VALUES('local',1,38,'4066189953e0a753fdfd977bf2494eb7ce3d1908efc6c8ce67ca8a1618898642','2026-03-01T12:00:00.000000+00:00','526d866b392cf2c9842b3ce635abcea2344e91bdf820e5496fcf837f08afa66e','eabcd796d5a9f58d2d3ff144af6ac6e64dc6fe377f3b7df2a9105dad6a56606e','be81e70894e756394326204fec3004f0a97cba5d38a049d178b02c0a4fe3b567e7558a67eb5f4c11c10948341087b765eb87f41e4fbb186a861bb66997c0f806');
CREATE TABLE audit_events (
	tenant VARCHAR(64) NOT NULL, 
	sequence INTEGER NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	actor TEXT NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	object TEXT NOT NULL, 
	details TEXT NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_events PRIMARY KEY (tenant, sequence), 
	CONSTRAINT fk_audit_events_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "audit_events" VALUES('local',1,'2026-03-01T12:00:00.000000+00:00','system','tenant.created','tenant','local','{}','526d866b392cf2c9842b3ce635abcea2344e91bdf820e5496fcf837f08afa66e','8cd5e19276a24611ea35cd67e96354794dd9a54ae89fdba89d866dfc3f811a86');
INSERT INTO "audit_events" VALUES('local',2,'2026-03-01T12:00:00.000000+00:00','test','policy.added','policy','default','{"version":1}','8cd5e19276a24611ea35cd67e96354794dd9a54ae89fdba89d866dfc3f811a86','8daeeeb778efa9756558e44c9dc96cd98eb6a7ad0bbe87482fce31b54a736ff8');
INSERT INTO "audit_events" VALUES('local',3,'2026-03-01T12:00:00.000000+00:00','test','consent.text_added','consent_text','2026-01','{"language":"en","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02"}','8daeeeb778efa9756558e44c9dc96cd98eb6a7ad0bbe87482fce31b54a736ff8','077afc5698654ceb4557d3868d7a786f1512ffddef59f4c2e53279c8c51f483a');
INSERT INTO "audit_events" VALUES('local',4,'2026-03-01T12:00:00.000000+00:00','golden','webhook.endpoint_added','webhook_endpoint','whe_01m81m97d568df4gh97ntavdr2','{}','077afc5698654ceb4557d3868d7a786f1512ffddef59f4c2e53279c8c51f483a','164dda2c63056f34b41a9d01762113ef4e43139b3f8a095c225a34300bb95cdf');
INSERT INTO "audit_events" VALUES('local',5,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81m97dd9n9gcewzmebcy5dv','{"case":"case_01m81m97dd9qsma6zen1xebd5m","policy":"default","policy_version":1}','164dda2c63056f34b41a9d01762113ef4e43139b3f8a095c225a34300bb95cdf','a52011846f0a203eed0512ca8f47335a1f0582e0c646dd1161d39a6960f2110c');
INSERT INTO "audit_events" VALUES('local',6,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81m97dd9n9gcewzmebcy5dv','{"attempt":1,"consent":"con_01m81m97dr39gzyv0sww1ax9gt","state":"collecting","version":2}','a52011846f0a203eed0512ca8f47335a1f0582e0c646dd1161d39a6960f2110c','626605b8fd357343b4d37304b36b12aed26eba606297f62f9aee2364cf2cfd67');
INSERT INTO "audit_events" VALUES('local',7,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81m97dr39gzyv0sww1ax9gt','{"case":"case_01m81m97dd9qsma6zen1xebd5m","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','626605b8fd357343b4d37304b36b12aed26eba606297f62f9aee2364cf2cfd67','093645004a0c3b39b5695b51c2043ff361fd1e778c84386efb1c3d4081c60ec3');
INSERT INTO "audit_events" VALUES('local',8,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81m97dd9n9gcewzmebcy5dv','{"attempt":1,"media":"med_01m81m97e6tpfr611jvv1hx6vm","role":"selfie","state":"collecting","version":3}','093645004a0c3b39b5695b51c2043ff361fd1e778c84386efb1c3d4081c60ec3','8ab0ae29d01acf84dc282b76cade4db17c44f9a78b6472b2c2934f46368b4b2b');
INSERT INTO "audit_events" VALUES('local',9,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81m97ejr25th0gpxz3y0a29','{"case":"case_01m81m97dd9qsma6zen1xebd5m","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','8ab0ae29d01acf84dc282b76cade4db17c44f9a78b6472b2c2934f46368b4b2b','2f8525073beae19cf886f56b1c14914206536437f2a5f1405ab26679071ff1d9');
INSERT INTO "audit_events" VALUES('local',10,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81m97dd9n9gcewzmebcy5dv','{"attempt":1,"state":"submitted","version":4}','2f8525073beae19cf886f56b1c14914206536437f2a5f1405ab26679071ff1d9','a68c40aeb068a89e1138fc6e367d4022d59326ad90ca42508237ff195c01b1c4');
INSERT INTO "audit_events" VALUES('local',11,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81m97dd9n9gcewzmebcy5dv','{"attempt":1,"state":"processing","version":5}','a68c40aeb068a89e1138fc6e367d4022d59326ad90ca42508237ff195c01b1c4','a3d296052503a75bc7734d94e5030cfcf39b7398b4705196dd45fd9efc591d06');
INSERT INTO "audit_events" VALUES('local',12,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m81m97dd9n9gcewzmebcy5dv','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','a3d296052503a75bc7734d94e5030cfcf39b7398b4705196dd45fd9efc591d06','dd70c09d4797636f3afd3598e379fba5390708b80aae720ebe752c0826ad0169');
INSERT INTO "audit_events" VALUES('local',13,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m81m97fyj81kapdsszyztsjg','{"case":"case_01m81m97dd9qsma6zen1xebd5m","consent":"con_01m81m97ejr25th0gpxz3y0a29","media":1,"references":1}','dd70c09d4797636f3afd3598e379fba5390708b80aae720ebe752c0826ad0169','4d0b2320a7e8e531cc0c1c692065181a898447cd5c067d0b238a00644b488183');
INSERT INTO "audit_events" VALUES('local',14,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81m97gf33m4bje1a1znd14e','{"case":"case_01m81m97gf799h2p7p4fezw10x","policy":"default","policy_version":1}','4d0b2320a7e8e531cc0c1c692065181a898447cd5c067d0b238a00644b488183','32dfe6dddd9f30866b964252ae0a08d8ba27b9d63018433fd80c68a41ee7d3ef');
INSERT INTO "audit_events" VALUES('local',15,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81m97gf33m4bje1a1znd14e','{"attempt":1,"consent":"con_01m81m97gnwmb904v0f1qj1n5m","state":"collecting","version":2}','32dfe6dddd9f30866b964252ae0a08d8ba27b9d63018433fd80c68a41ee7d3ef','8682d5f04988f5255ed325d88a182dea5eb4a0ed0a14e36a55039acbdc504abc');
INSERT INTO "audit_events" VALUES('local',16,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81m97gnwmb904v0f1qj1n5m','{"case":"case_01m81m97gf799h2p7p4fezw10x","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','8682d5f04988f5255ed325d88a182dea5eb4a0ed0a14e36a55039acbdc504abc','23dbcea6294846d144c21b8c83c19e75ca0a2eee0432bfd588d6a1cc646b2c99');
INSERT INTO "audit_events" VALUES('local',17,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81m97gf33m4bje1a1znd14e','{"attempt":1,"media":"med_01m81m97gyskkg3v30da1ggpez","role":"selfie","state":"collecting","version":3}','23dbcea6294846d144c21b8c83c19e75ca0a2eee0432bfd588d6a1cc646b2c99','fae3926c5d4cbfb6e7972c9a3a0f8f10b8d6485b094b518019b9252d0019db00');
INSERT INTO "audit_events" VALUES('local',18,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81m97h60bv30m97d9c0rd5n','{"case":"case_01m81m97gf799h2p7p4fezw10x","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','fae3926c5d4cbfb6e7972c9a3a0f8f10b8d6485b094b518019b9252d0019db00','15ecc07a8501fcad948ef6fe9d828a73e2cef9a561d0436c95c7ab825f1dc2af');
INSERT INTO "audit_events" VALUES('local',19,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81m97gf33m4bje1a1znd14e','{"attempt":1,"state":"submitted","version":4}','15ecc07a8501fcad948ef6fe9d828a73e2cef9a561d0436c95c7ab825f1dc2af','826d0eb670534b0616e073805a7944b6b86b3c1c376de29af6e477f07926a4ed');
INSERT INTO "audit_events" VALUES('local',20,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81m97gf33m4bje1a1znd14e','{"attempt":1,"state":"processing","version":5}','826d0eb670534b0616e073805a7944b6b86b3c1c376de29af6e477f07926a4ed','a38eed0f02c980fe77c4c8697b747cf5fa4191ee8051d1d5080194ee0bbc964d');
INSERT INTO "audit_events" VALUES('local',21,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m81m97gf33m4bje1a1znd14e','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','a38eed0f02c980fe77c4c8697b747cf5fa4191ee8051d1d5080194ee0bbc964d','024d841fa5db0e19c462cf4dbeed758abb7dbf76b76c80666e47d87dab3d6588');
INSERT INTO "audit_events" VALUES('local',22,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m81m97j3q719332xyntmge70','{"case":"case_01m81m97gf799h2p7p4fezw10x","consent":"con_01m81m97h60bv30m97d9c0rd5n","media":1,"references":1}','024d841fa5db0e19c462cf4dbeed758abb7dbf76b76c80666e47d87dab3d6588','81fb5c92414eacabda5ec4823d39a7638bae8577fb71a3ccc90d854f22ff8bcb');
INSERT INTO "audit_events" VALUES('local',23,'2026-03-01T12:00:00.000000+00:00','k','session.redact','session','ses_01m81m97gf33m4bje1a1znd14e','{"attempt":1,"state":"redacted","version":7}','81fb5c92414eacabda5ec4823d39a7638bae8577fb71a3ccc90d854f22ff8bcb','68312941f9b07093e803404c9dd5a49c171f381fab3339bd16dd7b78d729d709');
INSERT INTO "audit_events" VALUES('local',24,'2026-03-01T12:00:00.000000+00:00','k','case.media_deleted','case','case_01m81m97gf799h2p7p4fezw10x','{"count":0,"reason":"request"}','68312941f9b07093e803404c9dd5a49c171f381fab3339bd16dd7b78d729d709','862f73266aba2ebd1c897846af73c8fae50b0cc11f516d240189bb4c47e7f7cb');
INSERT INTO "audit_events" VALUES('local',25,'2026-03-01T12:00:00.000000+00:00','k','case.redacted','case','case_01m81m97gf799h2p7p4fezw10x','{"reason":"request"}','862f73266aba2ebd1c897846af73c8fae50b0cc11f516d240189bb4c47e7f7cb','996df0057b90ebd041bf5dc88da4a72749ead2dba0be95a827eb11c19a3b04bf');
INSERT INTO "audit_events" VALUES('local',26,'2026-03-01T12:00:00.000000+00:00','k','subject.erased','subject','sub_01m81m97j3q719332xyntmge70','{"media":1,"reason":"request"}','996df0057b90ebd041bf5dc88da4a72749ead2dba0be95a827eb11c19a3b04bf','747ba4f80e97a0e68d9e85ca80609a3f8574a1b593581747907356fe360f601d');
INSERT INTO "audit_events" VALUES('local',27,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81m97kw3t8wg7rz8mzh9vgs','{"case":"case_01m81m97kwb2xh22ksxty8s2kp","policy":"default","policy_version":1}','747ba4f80e97a0e68d9e85ca80609a3f8574a1b593581747907356fe360f601d','792816c6e252d1555b4d32c9b0cd1e53020e3d5d864aaa8f01362af5bfc70af1');
INSERT INTO "audit_events" VALUES('local',28,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81m97kw3t8wg7rz8mzh9vgs','{"attempt":1,"consent":"con_01m81m97m2x8nytmm5ph2df1kk","state":"collecting","version":2}','792816c6e252d1555b4d32c9b0cd1e53020e3d5d864aaa8f01362af5bfc70af1','2e9e02cf68d48ab6753eac5cb5ca746cb3c4fff78a256f678d667ccb9c0bde16');
INSERT INTO "audit_events" VALUES('local',29,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81m97m2x8nytmm5ph2df1kk','{"case":"case_01m81m97kwb2xh22ksxty8s2kp","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','2e9e02cf68d48ab6753eac5cb5ca746cb3c4fff78a256f678d667ccb9c0bde16','f8aec33d7d9b4089860223431b5700d22f25219c3759adc49ff538c681d150f3');
INSERT INTO "audit_events" VALUES('local',30,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81m97kw3t8wg7rz8mzh9vgs','{"attempt":1,"media":"med_01m81m97mbqyqvtfwqrj123emn","role":"selfie","state":"collecting","version":3}','f8aec33d7d9b4089860223431b5700d22f25219c3759adc49ff538c681d150f3','f200101d60ab8987c8242c9dbc833868c7939b1707b5069b658c9dde0e8a7107');
INSERT INTO "audit_events" VALUES('local',31,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81m97mksgregp583pdjc4m7','{"case":"case_01m81m97kwb2xh22ksxty8s2kp","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','f200101d60ab8987c8242c9dbc833868c7939b1707b5069b658c9dde0e8a7107','f0d03f6d5e140a2ea1d07e204984b590b0678cd53ed1334beb5e11bc49bca342');
INSERT INTO "audit_events" VALUES('local',32,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81m97kw3t8wg7rz8mzh9vgs','{"attempt":1,"state":"submitted","version":4}','f0d03f6d5e140a2ea1d07e204984b590b0678cd53ed1334beb5e11bc49bca342','3b6939c7aa9f4e810840d02a0009606f25bf9c9254467094f26a269768da2f69');
INSERT INTO "audit_events" VALUES('local',33,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81m97kw3t8wg7rz8mzh9vgs','{"attempt":1,"state":"processing","version":5}','3b6939c7aa9f4e810840d02a0009606f25bf9c9254467094f26a269768da2f69','fa835801b90d760b2ede17d0903ba085110a08f3ae2ebd5b8803ea69209fc129');
INSERT INTO "audit_events" VALUES('local',34,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.ask_review','session','ses_01m81m97kw3t8wg7rz8mzh9vgs','{"attempt":1,"decision":"review","policy":"default","policy_version":1,"state":"review","version":6,"worker":"golden"}','fa835801b90d760b2ede17d0903ba085110a08f3ae2ebd5b8803ea69209fc129','e6baa5fb1699be2aa36eb42ad5e578217333fa73190c6fd631eda477fc3f2478');
INSERT INTO "audit_events" VALUES('local',35,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81m97nc15hcbxqy8se7m38s','{"case":"case_01m81m97ncbp8eywrk529rcnke","policy":"default","policy_version":1}','e6baa5fb1699be2aa36eb42ad5e578217333fa73190c6fd631eda477fc3f2478','3152dc999427a33b4b7e6cc24558eca8822412aa0a4ec49006feea29e9a099b1');
INSERT INTO "audit_events" VALUES('local',36,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81m97nc15hcbxqy8se7m38s','{"attempt":1,"consent":"con_01m81m97nh3fpbh4ysk98sspzt","state":"collecting","version":2}','3152dc999427a33b4b7e6cc24558eca8822412aa0a4ec49006feea29e9a099b1','b88f91be59465d5e8067229d17da338e23b620aa3b1d0daa6f2921b6c624725a');
INSERT INTO "audit_events" VALUES('local',37,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81m97nh3fpbh4ysk98sspzt','{"case":"case_01m81m97ncbp8eywrk529rcnke","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','b88f91be59465d5e8067229d17da338e23b620aa3b1d0daa6f2921b6c624725a','3f65fe374907811bf067ffc5efd3e195618e892ed85bc2cda7e18144fc651792');
INSERT INTO "audit_events" VALUES('local',38,'2026-03-01T12:00:00.000000+00:00','client','session.submit','session','ses_01m81m97nc15hcbxqy8se7m38s','{"attempt":1,"state":"submitted","version":3}','3f65fe374907811bf067ffc5efd3e195618e892ed85bc2cda7e18144fc651792','cb2f94c5c8b91ac3415642e64456157bdc1b2e6570c3288efad7dbb9b997a20e');
CREATE TABLE audit_heads (
	tenant VARCHAR(64) NOT NULL, 
	sequence INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	checkpoints INTEGER NOT NULL, 
	peaks TEXT NOT NULL, 
	mac VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_heads PRIMARY KEY (tenant), 
	CONSTRAINT fk_audit_heads_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "audit_heads" VALUES('local',38,'cb2f94c5c8b91ac3415642e64456157bdc1b2e6570c3288efad7dbb9b997a20e',1,'59da7125d87650fdf109cbde57f70ede026b6b87f7bfcb8fd2e7ab48daf831af f6ff1997623d9f0be65245e387ae870165ff68deef2f866567d2c1c8622d39b4 39dedcf69d310f1f2a022000513a7ccef340c58e5f7965ca5c39ca691c81543e','9e3434d9150db4220f8ebe6a0a3a2abdbfe6d0781cc2bbd69a9e306455db6069');
CREATE TABLE cases (
	subject_id VARCHAR(64), 
	key_id VARCHAR(64) NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	policy_id VARCHAR(64) NOT NULL, 
	policy_version INTEGER NOT NULL, 
	created DATETIME NOT NULL, 
	media_expires DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	media_deleted DATETIME, 
	redacted DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_cases PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_cases_tenant_key_id FOREIGN KEY(tenant, key_id) REFERENCES keys (tenant, id), 
	CONSTRAINT fk_cases_tenant_policy_id_policy_version FOREIGN KEY(tenant, policy_id, policy_version) REFERENCES policies (tenant, id, version), 
	CONSTRAINT fk_cases_tenant_subject_id FOREIGN KEY(tenant, subject_id) REFERENCES subjects (tenant, id), 
	CONSTRAINT fk_cases_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "cases" VALUES('sub_01m81m97fyj81kapdsszyztsjg','key_01m81m97dd9jac0rghbecwyt6d','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81m97dd9qsma6zen1xebd5m');
INSERT INTO "cases" VALUES('sub_01m81m97j3q719332xyntmge70','key_01m81m97gfgmken8g3vnz8j5ht','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','case_01m81m97gf799h2p7p4fezw10x');
INSERT INTO "cases" VALUES(NULL,'key_01m81m97kw2rh31js9462dhes4','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81m97kwb2xh22ksxty8s2kp');
INSERT INTO "cases" VALUES(NULL,'key_01m81m97nca2n99ya20nde6552','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81m97ncbp8eywrk529rcnke');
CREATE TABLE consent_texts (
	tenant VARCHAR(64) NOT NULL, 
	version VARCHAR(64) NOT NULL, 
	language VARCHAR(16) NOT NULL, 
	text TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_consent_texts PRIMARY KEY (tenant, version, language), 
	CONSTRAINT fk_consent_texts_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "consent_texts" VALUES('local','2026-01','en','I agree.','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000');
CREATE TABLE consents (
	case_id VARCHAR(64), 
	subject_id VARCHAR(64), 
	purpose VARCHAR(32) NOT NULL, 
	text_version VARCHAR(64) NOT NULL, 
	language VARCHAR(16) NOT NULL, 
	text_sha256 VARCHAR(64) NOT NULL, 
	given DATETIME NOT NULL, 
	expires DATETIME, 
	withdrawn DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_consents PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_consents_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_consents_tenant_subject_id FOREIGN KEY(tenant, subject_id) REFERENCES subjects (tenant, id), 
	CONSTRAINT fk_consents_tenant_text_version_language FOREIGN KEY(tenant, text_version, language) REFERENCES consent_texts (tenant, version, language), 
	CONSTRAINT fk_consents_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "consents" VALUES('case_01m81m97dd9qsma6zen1xebd5m','sub_01m81m97fyj81kapdsszyztsjg','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81m97dr39gzyv0sww1ax9gt');
INSERT INTO "consents" VALUES('case_01m81m97dd9qsma6zen1xebd5m','sub_01m81m97fyj81kapdsszyztsjg','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81m97ejr25th0gpxz3y0a29');
INSERT INTO "consents" VALUES('case_01m81m97gf799h2p7p4fezw10x','sub_01m81m97j3q719332xyntmge70','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81m97gnwmb904v0f1qj1n5m');
INSERT INTO "consents" VALUES('case_01m81m97gf799h2p7p4fezw10x','sub_01m81m97j3q719332xyntmge70','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81m97h60bv30m97d9c0rd5n');
INSERT INTO "consents" VALUES('case_01m81m97kwb2xh22ksxty8s2kp',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81m97m2x8nytmm5ph2df1kk');
INSERT INTO "consents" VALUES('case_01m81m97kwb2xh22ksxty8s2kp',NULL,'enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81m97mksgregp583pdjc4m7');
INSERT INTO "consents" VALUES('case_01m81m97ncbp8eywrk529rcnke',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81m97nh3fpbh4ysk98sspzt');
CREATE TABLE findings (
	tenant VARCHAR(64) NOT NULL, 
	case_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	"check" VARCHAR(64) NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	score DOUBLE, 
	codes JSON NOT NULL, 
	CONSTRAINT pk_findings PRIMARY KEY (tenant, case_id, attempt, "check"), 
	CONSTRAINT fk_findings_tenant_case_id_attempt FOREIGN KEY(tenant, case_id, attempt) REFERENCES verdicts (tenant, case_id, attempt), 
	CONSTRAINT fk_findings_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "findings" VALUES('local','case_01m81m97dd9qsma6zen1xebd5m',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81m97dd9qsma6zen1xebd5m',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m81m97gf799h2p7p4fezw10x',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81m97gf799h2p7p4fezw10x',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m81m97kwb2xh22ksxty8s2kp',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81m97kwb2xh22ksxty8s2kp',1,'document.mrz','fail',NULL,'["mrz.x"]');
CREATE TABLE galleries (
	modality VARCHAR(16) NOT NULL, 
	space VARCHAR(64) NOT NULL, 
	location TEXT NOT NULL, 
	key_id VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_galleries PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_galleries_tenant_key_id FOREIGN KEY(tenant, key_id) REFERENCES keys (tenant, id), 
	CONSTRAINT fk_galleries_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE garbage (
	blob VARCHAR(200) NOT NULL, 
	since DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_garbage PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_garbage_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE idempotency (
	tenant VARCHAR(64) NOT NULL, 
	scope VARCHAR(64) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	status INTEGER, 
	answer BLOB, 
	created DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	CONSTRAINT pk_idempotency PRIMARY KEY (tenant, scope, "key"), 
	CONSTRAINT fk_idempotency_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE keys (
	kind VARCHAR(16) NOT NULL, 
	owner VARCHAR(64) NOT NULL, 
	master VARCHAR(128) NOT NULL, 
	wrapped BLOB, 
	created DATETIME NOT NULL, 
	destroyed DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_keys PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_keys_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_keys_tenant_kind_owner UNIQUE (tenant, kind, owner)
);
INSERT INTO "keys" VALUES('tenant','local','local:df98ab7bada9bb29',X'01BF7F4D92115C12E061A6945365DEC607E6AAE2D74202D2678B619993A1EFD07F5864C5F19BA78E40304D871208B391787EF188EF37EC61794EF440AC','2026-03-01 12:00:00.000000',NULL,'local','key_01m81m97bahy6jahfzn2z7nkq1');
INSERT INTO "keys" VALUES('audit','local','local:df98ab7bada9bb29',X'0192EB49E01F14108328BC27A1466B40B830D1B623288333510EFF6238EB847602160C25097CFF4C3FB59896D9B4A8F5C781FCC39F49C5A50737481099','2026-03-01 12:00:00.000000',NULL,'local','key_01m81m97bfsdb8d4v9rxk0zc7p');
INSERT INTO "keys" VALUES('audit-mac','local','local:df98ab7bada9bb29',X'01A0C679441237BF723CE1085CE305AA615361DD8DD9C7D386DFE3509604C5B27F974F2C3FAD2FDDE16AC27B7B8C11D289973B0079E3A54FF164E2D9E7','2026-03-01 12:00:00.000000',NULL,'local','key_01m81m97bfwtj4g2svk5pgnw5d');
INSERT INTO "keys" VALUES('case','case_01m81m97dd9qsma6zen1xebd5m','local:df98ab7bada9bb29',X'01A725CAE732F7BA7D02BE0A3F1EE328FD9B70FC26F55B615D81065535B9061B906D7187CC1A0C823416DB3FE85CF7475999D8C80EDBA48B2CA5345425','2026-03-01 12:00:00.000000',NULL,'local','key_01m81m97dd9jac0rghbecwyt6d');
INSERT INTO "keys" VALUES('subject','sub_01m81m97fyj81kapdsszyztsjg','local:df98ab7bada9bb29',X'01DA127A6F91D828E502BC7BD52F3E4F61F3FCF779C14B77BE17D7A5F046CC4790FC3E15222B062EB4C4D368EF2ADF7AC967C5CE5583DFA0CFE315965A','2026-03-01 12:00:00.000000',NULL,'local','key_01m81m97fznv04t3nqm8agjj7n');
INSERT INTO "keys" VALUES('case','case_01m81m97gf799h2p7p4fezw10x','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m81m97gfgmken8g3vnz8j5ht');
INSERT INTO "keys" VALUES('subject','sub_01m81m97j3q719332xyntmge70','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m81m97j3ektk4behgh54c8p6');
INSERT INTO "keys" VALUES('case','case_01m81m97kwb2xh22ksxty8s2kp','local:df98ab7bada9bb29',X'015FFEADF38901C5BB4F246F7CC471CD42E38FD47D6425D6F9678C2869DCA5C68D3C1E077710A2430E9468C9202D3B50863AACFD8D5E8BE82B16253FD3','2026-03-01 12:00:00.000000',NULL,'local','key_01m81m97kw2rh31js9462dhes4');
INSERT INTO "keys" VALUES('case','case_01m81m97ncbp8eywrk529rcnke','local:df98ab7bada9bb29',X'01D51493C46AEC4EB5FF6B9D803C7051D1451475B28163A2FEEC6F00A6370E14F3AD5A570B6B7C8CB65B111862FD04F95089C77479C35B01F0B03957BC','2026-03-01 12:00:00.000000',NULL,'local','key_01m81m97nca2n99ya20nde6552');
CREATE TABLE labels (
	case_id VARCHAR(64) NOT NULL, 
	media_id VARCHAR(64), 
	name VARCHAR(64) NOT NULL, 
	value VARCHAR(64) NOT NULL, 
	author TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_labels PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_labels_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_labels_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE media (
	case_id VARCHAR(64), 
	subject_id VARCHAR(64), 
	attempt INTEGER NOT NULL, 
	role VARCHAR(32) NOT NULL, 
	content_type VARCHAR(64) NOT NULL, 
	size INTEGER NOT NULL, 
	blob VARCHAR(200) NOT NULL, 
	key_id VARCHAR(64) NOT NULL, 
	wrapped_key BLOB NOT NULL, 
	exact_hash VARCHAR(64) NOT NULL, 
	sealed_hash BLOB, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_media PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_media_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_media_tenant_key_id FOREIGN KEY(tenant, key_id) REFERENCES keys (tenant, id), 
	CONSTRAINT fk_media_tenant_subject_id FOREIGN KEY(tenant, subject_id) REFERENCES subjects (tenant, id), 
	CONSTRAINT fk_media_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "media" VALUES('case_01m81m97dd9qsma6zen1xebd5m','sub_01m81m97fyj81kapdsszyztsjg',1,'selfie','application/octet-stream',13,'case_01m81m97dd9qsma6zen1xebd5m/med_01m81m97e6tpfr611jvv1hx6vm','key_01m81m97fznv04t3nqm8agjj7n',X'014C1C8CD95DF03A4895A72DC76F75843624C73C7F826955F551C092121AFBAB9B46C47410D73F3503398135F7D391A34428FE7C5183906430807F4ADE','650287b6a3ec2fe488287568ac6a24987737cd87ed6a5f3ca24fec9d3b04613b',X'0176DECD3D829842C12F39FD12C1616964ACE0BAF3ABC65FD874166ACC46A486C94C798ACE36BF75','2026-03-01 12:00:00.000000','local','med_01m81m97e6tpfr611jvv1hx6vm');
INSERT INTO "media" VALUES('case_01m81m97kwb2xh22ksxty8s2kp',NULL,1,'selfie','application/octet-stream',13,'case_01m81m97kwb2xh22ksxty8s2kp/med_01m81m97mbqyqvtfwqrj123emn','key_01m81m97kw2rh31js9462dhes4',X'01E0BAE252477F4DEB2B4C423065F73012F22F44AB85135E23B2A3F6C03E2CCBF4A5CA3108FDA6195EB9F8C5F9259EBC2ED6EDE5DD29E6F7B3BA3521B3','650287b6a3ec2fe488287568ac6a24987737cd87ed6a5f3ca24fec9d3b04613b',X'010AEB5003573D6D4A06C53DE0774EDE4D336D8E60FB85F143325806848F10081BD72842BF80D0B3','2026-03-01 12:00:00.000000','local','med_01m81m97mbqyqvtfwqrj123emn');
CREATE TABLE model_changes (
	tenant VARCHAR(64) NOT NULL, 
	slot VARCHAR(32) NOT NULL, 
	number INTEGER NOT NULL, 
	model_id VARCHAR(100) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	reason VARCHAR(200) NOT NULL, 
	author TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_model_changes PRIMARY KEY (tenant, slot, number), 
	CONSTRAINT fk_model_changes_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE outbox (
	session_id VARCHAR(64) NOT NULL, 
	sequence INTEGER NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	payload JSON NOT NULL, 
	created DATETIME NOT NULL, 
	sent DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_outbox PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_outbox_tenant_session_id FOREIGN KEY(tenant, session_id) REFERENCES sessions (tenant, id), 
	CONSTRAINT fk_outbox_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_outbox_tenant_session_id_sequence UNIQUE (tenant, session_id, sequence)
);
INSERT INTO "outbox" VALUES('ses_01m81m97dd9n9gcewzmebcy5dv',6,'session.accepted','{"session": "ses_01m81m97dd9n9gcewzmebcy5dv", "case": "case_01m81m97dd9qsma6zen1xebd5m", "reference": "anna", "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81m97ffskgkt1swv0vweppx');
INSERT INTO "outbox" VALUES('ses_01m81m97gf33m4bje1a1znd14e',6,'session.accepted','{"session": "ses_01m81m97gf33m4bje1a1znd14e", "case": "case_01m81m97gf799h2p7p4fezw10x", "reference": null, "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81m97hvzgbwk2001xbz9h6c');
INSERT INTO "outbox" VALUES('ses_01m81m97gf33m4bje1a1znd14e',7,'session.redacted','{"session": "ses_01m81m97gf33m4bje1a1znd14e", "case": "case_01m81m97gf799h2p7p4fezw10x", "reference": null, "state": "redacted", "reason": "session.redacted", "attempt": 1, "sequence": 7, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81m97jh4awbhksahmj3jw3e');
INSERT INTO "outbox" VALUES('ses_01m81m97kw3t8wg7rz8mzh9vgs',6,'session.review','{"session": "ses_01m81m97kw3t8wg7rz8mzh9vgs", "case": "case_01m81m97kwb2xh22ksxty8s2kp", "reference": null, "state": "review", "reason": "verdict.review", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81m97n6vvkw5rpzjrb835dg');
CREATE TABLE policies (
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	retention JSON NOT NULL, 
	created DATETIME NOT NULL, 
	author TEXT NOT NULL, 
	CONSTRAINT pk_policies PRIMARY KEY (tenant, id, version), 
	CONSTRAINT fk_policies_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "policies" VALUES('local','default',1,'layers: []','96929773c824d03b5e9c012ed7d36726b97438cc9796ca2d0591347d52750836','{"media_days": 30, "case_days": 365, "second_person": false}','2026-03-01 12:00:00.000000','test');
CREATE TABLE "references" (
	subject_id VARCHAR(64) NOT NULL, 
	gallery_id VARCHAR(64), 
	media_id VARCHAR(64), 
	modality VARCHAR(16) NOT NULL, 
	space VARCHAR(64) NOT NULL, 
	sealed BLOB NOT NULL, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_references PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_references_tenant_gallery_id FOREIGN KEY(tenant, gallery_id) REFERENCES galleries (tenant, id), 
	CONSTRAINT fk_references_tenant_media_id FOREIGN KEY(tenant, media_id) REFERENCES media (tenant, id), 
	CONSTRAINT fk_references_tenant_subject_id FOREIGN KEY(tenant, subject_id) REFERENCES subjects (tenant, id), 
	CONSTRAINT fk_references_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "references" VALUES('sub_01m81m97fyj81kapdsszyztsjg',NULL,'med_01m81m97e6tpfr611jvv1hx6vm','face','golden-space',X'01839DB1EAE6C982C9A57306F29DAF6253D47B05156A27D0EA47A4B19E9F1E3C060E129F9E564800C9F47BE5','2026-03-01 12:00:00.000000','local','ref_01m81m97g5gb56c4n3efsf1dcz');
CREATE TABLE reviews (
	case_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	reviewer TEXT NOT NULL, 
	decision VARCHAR(16) NOT NULL, 
	code VARCHAR(64) NOT NULL, 
	sealed_note BLOB, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_reviews PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_reviews_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_reviews_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_reviews_tenant_case_id_attempt_reviewer UNIQUE (tenant, case_id, attempt, reviewer)
);
CREATE TABLE sessions (
	case_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	priority INTEGER NOT NULL, 
	reference TEXT, 
	sealed_metadata BLOB, 
	created DATETIME NOT NULL, 
	changed DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	submitted DATETIME, 
	not_before DATETIME, 
	failures INTEGER NOT NULL, 
	lease_owner TEXT, 
	lease_token VARCHAR(64), 
	lease_until DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, assignee VARCHAR(200), 
	CONSTRAINT pk_sessions PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_sessions_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_sessions_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_sessions_tenant_case_id UNIQUE (tenant, case_id)
);
INSERT INTO "sessions" VALUES('case_01m81m97dd9qsma6zen1xebd5m','accepted','verdict.accept',6,1,0,'anna',X'017BC3627AF2360188415CBE6E928470ED064F49AE2227C4B4ECB58A9500EBCD75F047E9669F44D742FB2E8F8BBD','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81m97dd9n9gcewzmebcy5dv',NULL);
INSERT INTO "sessions" VALUES('case_01m81m97gf799h2p7p4fezw10x','redacted','session.redacted',7,1,0,NULL,NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81m97gf33m4bje1a1znd14e',NULL);
INSERT INTO "sessions" VALUES('case_01m81m97kwb2xh22ksxty8s2kp','review','verdict.review',6,1,0,NULL,X'0103E56D234E8204D37FCB9822A239FC42EC428F189CD94E0CD3944C5D5456DB2A2B17CE056561E49232259E2CD1','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81m97kw3t8wg7rz8mzh9vgs',NULL);
INSERT INTO "sessions" VALUES('case_01m81m97ncbp8eywrk529rcnke','submitted','session.submitted',3,1,0,'waits',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81m97nc15hcbxqy8se7m38s',NULL);
CREATE TABLE subjects (
	external_id TEXT, 
	key_id VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	expires DATETIME, 
	erased DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_subjects PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_subjects_tenant_key_id FOREIGN KEY(tenant, key_id) REFERENCES keys (tenant, id), 
	CONSTRAINT fk_subjects_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_subjects_tenant_external_id UNIQUE (tenant, external_id)
);
INSERT INTO "subjects" VALUES('anna','key_01m81m97fznv04t3nqm8agjj7n','2026-03-01 12:00:00.000000',NULL,NULL,'local','sub_01m81m97fyj81kapdsszyztsjg');
INSERT INTO "subjects" VALUES(NULL,'key_01m81m97j3ektk4behgh54c8p6','2026-03-01 12:00:00.000000',NULL,'2026-03-01 12:00:00.000000','local','sub_01m81m97j3q719332xyntmge70');
CREATE TABLE tasks (
	kind VARCHAR(32) NOT NULL, 
	batch VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	code VARCHAR(64), 
	sealed_input BLOB NOT NULL, 
	sealed_result BLOB, 
	created DATETIME NOT NULL, 
	finished DATETIME, 
	not_before DATETIME, 
	failures INTEGER NOT NULL, 
	lease_owner TEXT, 
	lease_token VARCHAR(64), 
	lease_until DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_tasks PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_tasks_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_tasks_tenant_batch_name UNIQUE (tenant, batch, name)
);
CREATE TABLE tenants (
	id VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	closed DATETIME, 
	CONSTRAINT pk_tenants PRIMARY KEY (id)
);
INSERT INTO "tenants" VALUES('local','local','2026-03-01 12:00:00.000000',NULL);
CREATE TABLE verdicts (
	tenant VARCHAR(64) NOT NULL, 
	case_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	decision VARCHAR(16) NOT NULL, 
	policy_id VARCHAR(64) NOT NULL, 
	policy_version INTEGER NOT NULL, 
	policy_sha256 VARCHAR(64) NOT NULL, 
	model_ids JSON NOT NULL, 
	timings JSON NOT NULL, 
	worker TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	sealed BLOB, 
	CONSTRAINT pk_verdicts PRIMARY KEY (tenant, case_id, attempt), 
	CONSTRAINT fk_verdicts_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_verdicts_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "verdicts" VALUES('local','case_01m81m97dd9qsma6zen1xebd5m',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'0114C78A1ED5AE3AC147D26C2403142C8624A348804E6DBC40625FFF2E81C87B14B731D74DB9122EDD89226E5C66EF12F98A8CB06688B628F3CAC379C7D4B76F5169');
INSERT INTO "verdicts" VALUES('local','case_01m81m97gf799h2p7p4fezw10x',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',NULL);
INSERT INTO "verdicts" VALUES('local','case_01m81m97kwb2xh22ksxty8s2kp',1,'review','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'01961101B03B382C726073CC0ECF6FC661E6860A55C7F7A1EEA35332CDDF0F6CC5299AFB85833B8D5734B245BB5EE1260FD5C2369EB3A8A43EE84000E062DF5FC9AD');
CREATE TABLE webhook_deliveries (
	outbox_id VARCHAR(64) NOT NULL, 
	endpoint_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	tries INTEGER NOT NULL, 
	next_try DATETIME NOT NULL, 
	last_status INTEGER, 
	last_error TEXT, 
	lease_token VARCHAR(64), 
	created DATETIME NOT NULL, 
	finished DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_webhook_deliveries PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_webhook_deliveries_tenant_endpoint_id FOREIGN KEY(tenant, endpoint_id) REFERENCES webhook_endpoints (tenant, id), 
	CONSTRAINT fk_webhook_deliveries_tenant_outbox_id FOREIGN KEY(tenant, outbox_id) REFERENCES outbox (tenant, id), 
	CONSTRAINT fk_webhook_deliveries_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_webhook_deliveries_tenant_outbox_id_endpoint_id UNIQUE (tenant, outbox_id, endpoint_id)
);
CREATE TABLE webhook_endpoints (
	url TEXT NOT NULL, 
	kinds JSON NOT NULL, 
	sealed_secret BLOB NOT NULL, 
	sealed_old_secret BLOB, 
	old_secret_until DATETIME, 
	created DATETIME NOT NULL, 
	disabled DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_webhook_endpoints PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_webhook_endpoints_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "webhook_endpoints" VALUES('https://example.org/hook','[]',X'012254AE1C8729D7425C3B0C1BD2A198ADF1FC317A38B422C29A01194B4F2E458358A037A3631138F4F906D18B0105DBCC145CFB4FA49C78773D4A1EB4',NULL,NULL,'2026-03-01 12:00:00.000000',NULL,'local','whe_01m81m97d568df4gh97ntavdr2');
CREATE INDEX ix_audit_events_tenant_kind_object ON audit_events (tenant, kind, object);
CREATE INDEX ix_idempotency_expires ON idempotency (expires);
CREATE INDEX ix_keys_master ON keys (master);
CREATE INDEX ix_subjects_expires ON subjects (expires);
CREATE INDEX ix_cases_expires ON cases (expires);
CREATE INDEX ix_cases_media_expires ON cases (media_expires);
CREATE INDEX ix_cases_tenant_subject_id ON cases (tenant, subject_id);
CREATE INDEX ix_consents_tenant_case_id ON consents (tenant, case_id);
CREATE INDEX ix_consents_tenant_subject_id ON consents (tenant, subject_id);
CREATE INDEX ix_media_tenant_case_id_attempt ON media (tenant, case_id, attempt);
CREATE INDEX ix_media_tenant_exact_hash ON media (tenant, exact_hash);
CREATE INDEX ix_media_tenant_subject_id ON media (tenant, subject_id);
CREATE INDEX ix_sessions_state_expires ON sessions (state, expires);
CREATE INDEX ix_sessions_state_lease_until ON sessions (state, lease_until);
CREATE INDEX ix_sessions_state_priority_submitted ON sessions (state, priority, submitted);
CREATE INDEX ix_sessions_tenant_reference ON sessions (tenant, reference);
CREATE INDEX ix_verdicts_tenant_created ON verdicts (tenant, created);
CREATE INDEX ix_outbox_sent ON outbox (sent);
CREATE INDEX ix_references_tenant_subject_id ON "references" (tenant, subject_id);
CREATE INDEX ix_webhook_deliveries_state_next_try ON webhook_deliveries (state, next_try);
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX ix_tasks_state_kind_created ON tasks (state, kind, created);
COMMIT;
