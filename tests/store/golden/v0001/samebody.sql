BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
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
INSERT INTO "audit_checkpoints" VALUES('local',1,38,'d064b9972fb5bc79643bc0d8f347df8b4c29cb28518b1341a900435b0ddb8b4e','2026-03-01T12:00:00.000000+00:00','526d866b392cf2c9842b3ce635abcea2344e91bdf820e5496fcf837f08afa66e','1363b03c282a6a72fc91a8257fad89897c6eb6e41c3c24f043602c1913ec4c09','1b18f23e87e63ca9444707c969d51fb45b80f6bd4b9ff8c2f634a4676ed0411ea6aea15f41b30849a5aad7489027cd7dd4abb7570f1c701b4a502b82a61e0e04');
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
INSERT INTO "audit_events" VALUES('local',4,'2026-03-01T12:00:00.000000+00:00','golden','webhook.endpoint_added','webhook_endpoint','whe_01m8149pt4bq4xpzyv7yh48r19','{}','077afc5698654ceb4557d3868d7a786f1512ffddef59f4c2e53279c8c51f483a','ed8be462f1a79bef140a349b582d6252f6fe8f658c4ad19a9b1e2cd68749e374');
INSERT INTO "audit_events" VALUES('local',5,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m8149ptjr7fsy0bz97mtvgdx','{"case":"case_01m8149ptj2ansht2xwhqe303v","policy":"default","policy_version":1}','ed8be462f1a79bef140a349b582d6252f6fe8f658c4ad19a9b1e2cd68749e374','75bba5ab6a0b5dbda06c3996a1dee6f039a8b5928c65586fb1a518ed703c9e76');
INSERT INTO "audit_events" VALUES('local',6,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m8149ptjr7fsy0bz97mtvgdx','{"attempt":1,"consent":"con_01m8149pvhdzw20yp1b2vmh2sq","state":"collecting","version":2}','75bba5ab6a0b5dbda06c3996a1dee6f039a8b5928c65586fb1a518ed703c9e76','881174a18dae973235864aa887020bd262f6ec0af586a160400c40059499e0b8');
INSERT INTO "audit_events" VALUES('local',7,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m8149pvhdzw20yp1b2vmh2sq','{"case":"case_01m8149ptj2ansht2xwhqe303v","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','881174a18dae973235864aa887020bd262f6ec0af586a160400c40059499e0b8','64be750904e43a42e6a68729b90fe887a5a6d1d069a6bcc9615fae3463bd3bfb');
INSERT INTO "audit_events" VALUES('local',8,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m8149ptjr7fsy0bz97mtvgdx','{"attempt":1,"media":"med_01m8149pwpjb9y9vwcc7tvxcn3","role":"selfie","state":"collecting","version":3}','64be750904e43a42e6a68729b90fe887a5a6d1d069a6bcc9615fae3463bd3bfb','7b114dd75a9b8233bf59957d9e580cdba9b45d080a31d4d43b91e35dc819a59f');
INSERT INTO "audit_events" VALUES('local',9,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m8149pxjmh2y37w32b8wvamq','{"case":"case_01m8149ptj2ansht2xwhqe303v","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','7b114dd75a9b8233bf59957d9e580cdba9b45d080a31d4d43b91e35dc819a59f','cf6f55f6add1ca80d85bcd2cd1bba978d36f492dd9ea9323b0dc8ec44ce3acb1');
INSERT INTO "audit_events" VALUES('local',10,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m8149ptjr7fsy0bz97mtvgdx','{"attempt":1,"state":"submitted","version":4}','cf6f55f6add1ca80d85bcd2cd1bba978d36f492dd9ea9323b0dc8ec44ce3acb1','90ac36aaee4f3be7f3af47b40ab545073420184e9134b585300dbd5f4775013d');
INSERT INTO "audit_events" VALUES('local',11,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m8149ptjr7fsy0bz97mtvgdx','{"attempt":1,"state":"processing","version":5}','90ac36aaee4f3be7f3af47b40ab545073420184e9134b585300dbd5f4775013d','28ca820ec84523bf28c420f9c7f51de64574a18ab2383d61fb69de639325f06b');
INSERT INTO "audit_events" VALUES('local',12,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m8149ptjr7fsy0bz97mtvgdx','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','28ca820ec84523bf28c420f9c7f51de64574a18ab2383d61fb69de639325f06b','1c3552161a2162993f178d126b8095c0e7c8f3c75aa4ca420225bdb86ca5a453');
INSERT INTO "audit_events" VALUES('local',13,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m8149q0jyy12wb51nqpyas6v','{"case":"case_01m8149ptj2ansht2xwhqe303v","consent":"con_01m8149pxjmh2y37w32b8wvamq","media":1,"references":1}','1c3552161a2162993f178d126b8095c0e7c8f3c75aa4ca420225bdb86ca5a453','11874e035cc2bd7224a5c0463cdd811d07f14b6d7fc01b6578c4b0e8cbc71a0b');
INSERT INTO "audit_events" VALUES('local',14,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m8149q1sv5r4230ymfyeyzs2','{"case":"case_01m8149q1sqajtgc5vfsze73fy","policy":"default","policy_version":1}','11874e035cc2bd7224a5c0463cdd811d07f14b6d7fc01b6578c4b0e8cbc71a0b','8fd16e8c2ff9d0af1d636e96dbab64f6247885e2010af19260d6ca4f5620e2ad');
INSERT INTO "audit_events" VALUES('local',15,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m8149q1sv5r4230ymfyeyzs2','{"attempt":1,"consent":"con_01m8149q24k3whd1c6edm89stp","state":"collecting","version":2}','8fd16e8c2ff9d0af1d636e96dbab64f6247885e2010af19260d6ca4f5620e2ad','832ec6a29ac24af588bd48cf4d37c9c06a434d3201dcde5090e35d5d83f6d17b');
INSERT INTO "audit_events" VALUES('local',16,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m8149q24k3whd1c6edm89stp','{"case":"case_01m8149q1sqajtgc5vfsze73fy","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','832ec6a29ac24af588bd48cf4d37c9c06a434d3201dcde5090e35d5d83f6d17b','72f6338ee2b7d34a780e22aaae37dacffa1b784915a94794fa8130c4135234f7');
INSERT INTO "audit_events" VALUES('local',17,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m8149q1sv5r4230ymfyeyzs2','{"attempt":1,"media":"med_01m8149q32fabsj6gkk4rbk86f","role":"selfie","state":"collecting","version":3}','72f6338ee2b7d34a780e22aaae37dacffa1b784915a94794fa8130c4135234f7','02d275442d57480fdf67dff68a2766785b678b4abe19943f7a4a3471754c7bbb');
INSERT INTO "audit_events" VALUES('local',18,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m8149q40d40ne3dgzpa7kqj7','{"case":"case_01m8149q1sqajtgc5vfsze73fy","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','02d275442d57480fdf67dff68a2766785b678b4abe19943f7a4a3471754c7bbb','160fa34dc4853d8ef3c3764ae367242eced39ae798a8aa26f10db7e8373b4b6d');
INSERT INTO "audit_events" VALUES('local',19,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m8149q1sv5r4230ymfyeyzs2','{"attempt":1,"state":"submitted","version":4}','160fa34dc4853d8ef3c3764ae367242eced39ae798a8aa26f10db7e8373b4b6d','c2ab89f6ce5d82814f5a2dcf69808e30afc0c152cc185b2f3875716109b205af');
INSERT INTO "audit_events" VALUES('local',20,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m8149q1sv5r4230ymfyeyzs2','{"attempt":1,"state":"processing","version":5}','c2ab89f6ce5d82814f5a2dcf69808e30afc0c152cc185b2f3875716109b205af','8b9273aaf9504b6feab9d27109f3efb26270810c740dd9ef51b2530bec7ee707');
INSERT INTO "audit_events" VALUES('local',21,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m8149q1sv5r4230ymfyeyzs2','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','8b9273aaf9504b6feab9d27109f3efb26270810c740dd9ef51b2530bec7ee707','ebdb1c2dcd33737b4735507baeabd0b09080ff240b4400d2ee3459d86b6c369c');
INSERT INTO "audit_events" VALUES('local',22,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m8149q5w0gtk4rxzdbzpe49b','{"case":"case_01m8149q1sqajtgc5vfsze73fy","consent":"con_01m8149q40d40ne3dgzpa7kqj7","media":1,"references":1}','ebdb1c2dcd33737b4735507baeabd0b09080ff240b4400d2ee3459d86b6c369c','39d46007b3ea4071dd7e4f9f23972c13fbf01161c3671eb1a37f94073b217d2f');
INSERT INTO "audit_events" VALUES('local',23,'2026-03-01T12:00:00.000000+00:00','k','session.redact','session','ses_01m8149q1sv5r4230ymfyeyzs2','{"attempt":1,"state":"redacted","version":7}','39d46007b3ea4071dd7e4f9f23972c13fbf01161c3671eb1a37f94073b217d2f','41054043eaa9816c839106b9afcd16626ba0991665d21108105527a03ece4634');
INSERT INTO "audit_events" VALUES('local',24,'2026-03-01T12:00:00.000000+00:00','k','case.media_deleted','case','case_01m8149q1sqajtgc5vfsze73fy','{"count":0,"reason":"request"}','41054043eaa9816c839106b9afcd16626ba0991665d21108105527a03ece4634','41179afb5331772777d08da2774bbd5a7ab9029cf2795abddefe5d898f04a072');
INSERT INTO "audit_events" VALUES('local',25,'2026-03-01T12:00:00.000000+00:00','k','case.redacted','case','case_01m8149q1sqajtgc5vfsze73fy','{"reason":"request"}','41179afb5331772777d08da2774bbd5a7ab9029cf2795abddefe5d898f04a072','dd1b5a508b57b201c9e65575808f1330cbc6a8a88882c0254ca51c270eaac9b9');
INSERT INTO "audit_events" VALUES('local',26,'2026-03-01T12:00:00.000000+00:00','k','subject.erased','subject','sub_01m8149q5w0gtk4rxzdbzpe49b','{"media":1,"reason":"request"}','dd1b5a508b57b201c9e65575808f1330cbc6a8a88882c0254ca51c270eaac9b9','f39e31bcf73b61b57c25aa5bda0d3417b36ebbb723e413b178f5be0135719ba0');
INSERT INTO "audit_events" VALUES('local',27,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m8149qaheewtjtybb2vzx8bf','{"case":"case_01m8149qahgxw35y2b8ymx5bqy","policy":"default","policy_version":1}','f39e31bcf73b61b57c25aa5bda0d3417b36ebbb723e413b178f5be0135719ba0','5aa38e87c4af96e81eeb586c4ba37e37e761bc562f83bc3907868baaaaa76b18');
INSERT INTO "audit_events" VALUES('local',28,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m8149qaheewtjtybb2vzx8bf','{"attempt":1,"consent":"con_01m8149qb07a8c1cxegf75pka9","state":"collecting","version":2}','5aa38e87c4af96e81eeb586c4ba37e37e761bc562f83bc3907868baaaaa76b18','6410c86405e8a6cf8760ecaf07c67a316cd2f78897c9132c5c23ab2444a06d8f');
INSERT INTO "audit_events" VALUES('local',29,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m8149qb07a8c1cxegf75pka9','{"case":"case_01m8149qahgxw35y2b8ymx5bqy","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','6410c86405e8a6cf8760ecaf07c67a316cd2f78897c9132c5c23ab2444a06d8f','97f05416915415d0c2fa9fb347e6cb3d93cc2dce3e698637a77fa3027a9e09ce');
INSERT INTO "audit_events" VALUES('local',30,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m8149qaheewtjtybb2vzx8bf','{"attempt":1,"media":"med_01m8149qbsf0gx7dyawk0yybg9","role":"selfie","state":"collecting","version":3}','97f05416915415d0c2fa9fb347e6cb3d93cc2dce3e698637a77fa3027a9e09ce','cb5083796d3b7407759eca6a5dbc2d5c74ed2b9bb8217530cee758231ed00563');
INSERT INTO "audit_events" VALUES('local',31,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m8149qcsafd1fjzn71d0tev8','{"case":"case_01m8149qahgxw35y2b8ymx5bqy","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','cb5083796d3b7407759eca6a5dbc2d5c74ed2b9bb8217530cee758231ed00563','24c517dcabc1501203b1352b771b04212c8b026d8e87a6407e1eb7dbf046882f');
INSERT INTO "audit_events" VALUES('local',32,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m8149qaheewtjtybb2vzx8bf','{"attempt":1,"state":"submitted","version":4}','24c517dcabc1501203b1352b771b04212c8b026d8e87a6407e1eb7dbf046882f','6a6fedde06998d9f961cd4234a320cf4b5ba381437e98eef107695eb622c39b1');
INSERT INTO "audit_events" VALUES('local',33,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m8149qaheewtjtybb2vzx8bf','{"attempt":1,"state":"processing","version":5}','6a6fedde06998d9f961cd4234a320cf4b5ba381437e98eef107695eb622c39b1','8267e8add4645e6fb0a56ce231f4f1fab8ec7199e7ff251a1c378aa15ea8b17d');
INSERT INTO "audit_events" VALUES('local',34,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.ask_review','session','ses_01m8149qaheewtjtybb2vzx8bf','{"attempt":1,"decision":"review","policy":"default","policy_version":1,"state":"review","version":6,"worker":"golden"}','8267e8add4645e6fb0a56ce231f4f1fab8ec7199e7ff251a1c378aa15ea8b17d','1b87c004865bd9fe6b028e54c1d2a68c546c60ecf6feaf7935c03139ee7e20b1');
INSERT INTO "audit_events" VALUES('local',35,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m8149qetzaag6mfzpegt7cqp','{"case":"case_01m8149qetw658k2090qma40j1","policy":"default","policy_version":1}','1b87c004865bd9fe6b028e54c1d2a68c546c60ecf6feaf7935c03139ee7e20b1','43bbce0bbc59c0b536be1bd08eeb58e5346df95bfa0564f7e58e8fb49b31c6b9');
INSERT INTO "audit_events" VALUES('local',36,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m8149qetzaag6mfzpegt7cqp','{"attempt":1,"consent":"con_01m8149qf9k39sdtr0a7rty76a","state":"collecting","version":2}','43bbce0bbc59c0b536be1bd08eeb58e5346df95bfa0564f7e58e8fb49b31c6b9','006de3b166a9888388d3a8e37c5d30182f1e9982b05b9108b9b5737ffc9ae053');
INSERT INTO "audit_events" VALUES('local',37,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m8149qf9k39sdtr0a7rty76a','{"case":"case_01m8149qetw658k2090qma40j1","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','006de3b166a9888388d3a8e37c5d30182f1e9982b05b9108b9b5737ffc9ae053','e284c88fe78e7bf3d7b217cb44819f59b7e90cc126869ea163833d9ab339fd71');
INSERT INTO "audit_events" VALUES('local',38,'2026-03-01T12:00:00.000000+00:00','client','session.submit','session','ses_01m8149qetzaag6mfzpegt7cqp','{"attempt":1,"state":"submitted","version":3}','e284c88fe78e7bf3d7b217cb44819f59b7e90cc126869ea163833d9ab339fd71','b0507f9ed602dcacfb0de3f1e61d712a28980b89d5bf5a4207441bd8c1dbacb9');
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
INSERT INTO "audit_heads" VALUES('local',38,'b0507f9ed602dcacfb0de3f1e61d712a28980b89d5bf5a4207441bd8c1dbacb9',1,'988f2df80778a25c9ec830b26c9b6ed2f26c2a7aec2437d3f44a46a05682250d c4a715caf9f86f0182008f6859577055ee46eb2c4184ecf0d953b78bc1f08a33 fb76996da4f6d72e0cde4b3d75a81f6d86fac53ff8ca24267956a83076fa1993','03c52e15e46d89044e1ce7e50448536e3034c7b161210bed3f95f94d4a8225fe');
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
INSERT INTO "cases" VALUES('sub_01m8149q0jyy12wb51nqpyas6v','key_01m8149ptjgb9yb73926yv6rq2','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m8149ptj2ansht2xwhqe303v');
INSERT INTO "cases" VALUES('sub_01m8149q5w0gtk4rxzdbzpe49b','key_01m8149q1sg65c2gream4kncvb','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','case_01m8149q1sqajtgc5vfsze73fy');
INSERT INTO "cases" VALUES(NULL,'key_01m8149qah93tqtpyykb96xgcg','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m8149qahgxw35y2b8ymx5bqy');
INSERT INTO "cases" VALUES(NULL,'key_01m8149qetw6y9t310ay5r836r','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m8149qetw658k2090qma40j1');
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
INSERT INTO "consents" VALUES('case_01m8149ptj2ansht2xwhqe303v','sub_01m8149q0jyy12wb51nqpyas6v','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m8149pvhdzw20yp1b2vmh2sq');
INSERT INTO "consents" VALUES('case_01m8149ptj2ansht2xwhqe303v','sub_01m8149q0jyy12wb51nqpyas6v','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m8149pxjmh2y37w32b8wvamq');
INSERT INTO "consents" VALUES('case_01m8149q1sqajtgc5vfsze73fy','sub_01m8149q5w0gtk4rxzdbzpe49b','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m8149q24k3whd1c6edm89stp');
INSERT INTO "consents" VALUES('case_01m8149q1sqajtgc5vfsze73fy','sub_01m8149q5w0gtk4rxzdbzpe49b','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m8149q40d40ne3dgzpa7kqj7');
INSERT INTO "consents" VALUES('case_01m8149qahgxw35y2b8ymx5bqy',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m8149qb07a8c1cxegf75pka9');
INSERT INTO "consents" VALUES('case_01m8149qahgxw35y2b8ymx5bqy',NULL,'enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m8149qcsafd1fjzn71d0tev8');
INSERT INTO "consents" VALUES('case_01m8149qetw658k2090qma40j1',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m8149qf9k39sdtr0a7rty76a');
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
INSERT INTO "findings" VALUES('local','case_01m8149ptj2ansht2xwhqe303v',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m8149ptj2ansht2xwhqe303v',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m8149q1sqajtgc5vfsze73fy',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m8149q1sqajtgc5vfsze73fy',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m8149qahgxw35y2b8ymx5bqy',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m8149qahgxw35y2b8ymx5bqy',1,'document.mrz','fail',NULL,'["mrz.x"]');
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
INSERT INTO "keys" VALUES('tenant','local','local:df98ab7bada9bb29',X'01B0220D8A0BC0BF3B9D5EE592AF4E1AAB52D3BD60115CA299B302A79CC551DFA7D9D86EFB05D6982942A2E95F53F6213B164B13CAAB4E65E275F9ED78','2026-03-01 12:00:00.000000',NULL,'local','key_01m8149pnytj9d6za6q9z56t5v');
INSERT INTO "keys" VALUES('audit','local','local:df98ab7bada9bb29',X'014A6F6ADA86FD5A156C991AD6C8F776B0D7CF317C864CF82A28311D659D85A68FF0886DB65DD0A34BEEFDDEB48392D9C50D985CDC39AC6C5258891669','2026-03-01 12:00:00.000000',NULL,'local','key_01m8149pper29s5xkq12y8h3za');
INSERT INTO "keys" VALUES('audit-mac','local','local:df98ab7bada9bb29',X'0145AF8AB189A3995FB0F51AB8E03863782472848ABB767C55612EA44A85714EEF147E6F59A66416B1D9F2427A8524FB4F383544CE6F412FE3A0B527DE','2026-03-01 12:00:00.000000',NULL,'local','key_01m8149ppfc5anhq4vsghmy3vr');
INSERT INTO "keys" VALUES('case','case_01m8149ptj2ansht2xwhqe303v','local:df98ab7bada9bb29',X'01DD61D0BB88538BE25AA0DFECADB0C9B8C85CF80799BAFCD7DB69363E1818023558F4AB27B00610F3DB4E4034C4A2C50C3241583D24532D37D3580FBE','2026-03-01 12:00:00.000000',NULL,'local','key_01m8149ptjgb9yb73926yv6rq2');
INSERT INTO "keys" VALUES('subject','sub_01m8149q0jyy12wb51nqpyas6v','local:df98ab7bada9bb29',X'017B3BF6D446FD1F5004C28DDC452F02688D7A21B4E1E6FC0EB0FA815B558BCA208D74C72F2A2D91CB1AB495A2F55E0AA68B7788C059C7641543836B47','2026-03-01 12:00:00.000000',NULL,'local','key_01m8149q0j2j7v35933556gsc3');
INSERT INTO "keys" VALUES('case','case_01m8149q1sqajtgc5vfsze73fy','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m8149q1sg65c2gream4kncvb');
INSERT INTO "keys" VALUES('subject','sub_01m8149q5w0gtk4rxzdbzpe49b','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m8149q5wnpfrxtp4bd9791js');
INSERT INTO "keys" VALUES('case','case_01m8149qahgxw35y2b8ymx5bqy','local:df98ab7bada9bb29',X'01D563D7C64A07204E03FAD4D41FFB0A1890DE4EED210435AC08E637D36FFF849D5BC9390177C755481D345AC8DB687B435B35E0A3F41177CEB16E7DBC','2026-03-01 12:00:00.000000',NULL,'local','key_01m8149qah93tqtpyykb96xgcg');
INSERT INTO "keys" VALUES('case','case_01m8149qetw658k2090qma40j1','local:df98ab7bada9bb29',X'01E3FE3A849608FF2305E72E7B716B5D6B038A98D3E3B7EF877EE67E9E42D9078C6BDCAABBC7ADC2A87C2EF24ECF3B5F24CCB64535B3A7E8DF5D4267C3','2026-03-01 12:00:00.000000',NULL,'local','key_01m8149qetw6y9t310ay5r836r');
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
INSERT INTO "media" VALUES('case_01m8149ptj2ansht2xwhqe303v','sub_01m8149q0jyy12wb51nqpyas6v',1,'selfie','application/octet-stream',13,'case_01m8149ptj2ansht2xwhqe303v/med_01m8149pwpjb9y9vwcc7tvxcn3','key_01m8149q0j2j7v35933556gsc3',X'01BF1B46A0391048061ABBA44A198F9E101F0888E4B5849DCE182D54DE6A0317DEB4D0735E62E60C4CF4EB131D7136D83F9CB939CBDB93C47BEA108D76','fcd59ed8588e808b5feced064438d7b2edbb899fa1df6db26bdf347066e67a59',X'01D25FE89E3D1F1CDCD42FC0D71FA1E19539A36BAD1634E37C753A70900614260012D241B36F907D','2026-03-01 12:00:00.000000','local','med_01m8149pwpjb9y9vwcc7tvxcn3');
INSERT INTO "media" VALUES('case_01m8149qahgxw35y2b8ymx5bqy',NULL,1,'selfie','application/octet-stream',13,'case_01m8149qahgxw35y2b8ymx5bqy/med_01m8149qbsf0gx7dyawk0yybg9','key_01m8149qah93tqtpyykb96xgcg',X'01256D41AD0F285B5AEB062BA9932FF01A43EB952F2E08097683364A3C9CCD0A3E90C9A32B6C2939D5BD903800C42E7EEEEAC9656DB6563CFF59C0E00E','fcd59ed8588e808b5feced064438d7b2edbb899fa1df6db26bdf347066e67a59',X'01C96407A85CA924E4F139FA6E3D89D3BE9287D0292EE1E5C3C2CF32A891DECC7556C88DB67734FC','2026-03-01 12:00:00.000000','local','med_01m8149qbsf0gx7dyawk0yybg9');
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
INSERT INTO "outbox" VALUES('ses_01m8149ptjr7fsy0bz97mtvgdx',6,'session.accepted','{"session": "ses_01m8149ptjr7fsy0bz97mtvgdx", "case": "case_01m8149ptj2ansht2xwhqe303v", "reference": "anna", "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m8149pznsppy1rf2gss66p3h');
INSERT INTO "outbox" VALUES('ses_01m8149q1sv5r4230ymfyeyzs2',6,'session.accepted','{"session": "ses_01m8149q1sv5r4230ymfyeyzs2", "case": "case_01m8149q1sqajtgc5vfsze73fy", "reference": null, "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m8149q57tfcw8gw2c7206by8');
INSERT INTO "outbox" VALUES('ses_01m8149q1sv5r4230ymfyeyzs2',7,'session.redacted','{"session": "ses_01m8149q1sv5r4230ymfyeyzs2", "case": "case_01m8149q1sqajtgc5vfsze73fy", "reference": null, "state": "redacted", "reason": "session.redacted", "attempt": 1, "sequence": 7, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m8149q6wdxta1wtyr4dfhy3z');
INSERT INTO "outbox" VALUES('ses_01m8149qaheewtjtybb2vzx8bf',6,'session.review','{"session": "ses_01m8149qaheewtjtybb2vzx8bf", "case": "case_01m8149qahgxw35y2b8ymx5bqy", "reference": null, "state": "review", "reason": "verdict.review", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m8149qe5rfxhrn5at3x9tgrt');
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
INSERT INTO "references" VALUES('sub_01m8149q0jyy12wb51nqpyas6v',NULL,'med_01m8149pwpjb9y9vwcc7tvxcn3','face','golden-space',X'01C5F4391A642CE2F6B8C1A6C8E5AC34459199F47FFC9F19518719FC0C5D2E85FC35FD981AAF0A6BDB14CB9D','2026-03-01 12:00:00.000000','local','ref_01m8149q11vh20c93qhzzfsm7h');
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
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_sessions PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_sessions_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_sessions_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_sessions_tenant_case_id UNIQUE (tenant, case_id)
);
INSERT INTO "sessions" VALUES('case_01m8149ptj2ansht2xwhqe303v','accepted','verdict.accept',6,1,0,'anna',X'01AB38A43534705764CF38EFF5CDC73F088B7182C751961A876C937B77092F359414F51DD4049135393D504511CA','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m8149ptjr7fsy0bz97mtvgdx');
INSERT INTO "sessions" VALUES('case_01m8149q1sqajtgc5vfsze73fy','redacted','session.redacted',7,1,0,NULL,NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m8149q1sv5r4230ymfyeyzs2');
INSERT INTO "sessions" VALUES('case_01m8149qahgxw35y2b8ymx5bqy','review','verdict.review',6,1,0,NULL,X'0152F6649C779831D3336BB0DAC2BCE114F46F07DD75118B6FFBFB5EE1D1D70BC5D65C43C6096DA229DD29DED11F','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m8149qaheewtjtybb2vzx8bf');
INSERT INTO "sessions" VALUES('case_01m8149qetw658k2090qma40j1','submitted','session.submitted',3,1,0,'waits',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m8149qetzaag6mfzpegt7cqp');
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
INSERT INTO "subjects" VALUES('anna','key_01m8149q0j2j7v35933556gsc3','2026-03-01 12:00:00.000000',NULL,NULL,'local','sub_01m8149q0jyy12wb51nqpyas6v');
INSERT INTO "subjects" VALUES(NULL,'key_01m8149q5wnpfrxtp4bd9791js','2026-03-01 12:00:00.000000',NULL,'2026-03-01 12:00:00.000000','local','sub_01m8149q5w0gtk4rxzdbzpe49b');
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
INSERT INTO "verdicts" VALUES('local','case_01m8149ptj2ansht2xwhqe303v',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'01E0845ED490A5821349FE1152FC1FB312072621EDD9A9AB4A3487B6373F0A8C400AEF38B399F0B0185905A5B45D21105C93C93B0CE0788B28089B5534A8816E301C');
INSERT INTO "verdicts" VALUES('local','case_01m8149q1sqajtgc5vfsze73fy',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',NULL);
INSERT INTO "verdicts" VALUES('local','case_01m8149qahgxw35y2b8ymx5bqy',1,'review','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'01C8E98F931BB6826F47E40BA0601F5232418FBBC1137B63A7E5951824E72DE607AC463F500526D9C7B318A799E4C9C997687A26BA256000335206FB752AC323DAB9');
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
INSERT INTO "webhook_endpoints" VALUES('https://example.org/hook','[]',X'0105F6A119CEF02C23D6F325E346BECC35C483F412F609A611E37103051CAEA3843C5076C1032EA835BEE97C7A8808E36294ED999D60DD702354145A3F',NULL,NULL,'2026-03-01 12:00:00.000000',NULL,'local','whe_01m8149pt4bq4xpzyv7yh48r19');
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
COMMIT;
