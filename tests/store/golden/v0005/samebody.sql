BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
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
INSERT INTO "audit_checkpoints" VALUES('local',1,38,'a527f50ee1fb1215213508aefe33c03c940ddbdaed3ad6debef36a344da54d06','2026-03-01T12:00:00.000000+00:00','526d866b392cf2c9842b3ce635abcea2344e91bdf820e5496fcf837f08afa66e','aa25028d04284829e68efeee0c3fede3228e79f25a68b5ff38b75ffa65cba345','4f0bce409d1c47703d930d093d1bb7a48f51d14d09ec9bd1315dbb9ae0a7bddb17376d193571f54e77f598a46476a8f3dd30067eca586326ae21ef9904b37906');
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
INSERT INTO "audit_events" VALUES('local',4,'2026-03-01T12:00:00.000000+00:00','golden','webhook.endpoint_added','webhook_endpoint','whe_01m81smzdc2ybtje1r5w1deqrs','{}','077afc5698654ceb4557d3868d7a786f1512ffddef59f4c2e53279c8c51f483a','713d6aa3c6591513177349bc231356c6a239be8429111037ab71eacc383eefe4');
INSERT INTO "audit_events" VALUES('local',5,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81smzeqffrkgd2c7rx8fb7r','{"case":"case_01m81smzeqyrqxptjcv16p2p17","policy":"default","policy_version":1}','713d6aa3c6591513177349bc231356c6a239be8429111037ab71eacc383eefe4','8e9d441677d8472a88a758a2282e55b220e3cf1f0c069f384c16b019c7680588');
INSERT INTO "audit_events" VALUES('local',6,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81smzeqffrkgd2c7rx8fb7r','{"attempt":1,"consent":"con_01m81smzfha2rhzh902hf26hza","state":"collecting","version":2}','8e9d441677d8472a88a758a2282e55b220e3cf1f0c069f384c16b019c7680588','be0068ca8864593b839f69c062ee974b32418957ec87e9cc65e9aa2812bf4ff3');
INSERT INTO "audit_events" VALUES('local',7,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81smzfha2rhzh902hf26hza','{"case":"case_01m81smzeqyrqxptjcv16p2p17","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','be0068ca8864593b839f69c062ee974b32418957ec87e9cc65e9aa2812bf4ff3','e2b612928d4a889f147c6cf8e0866dea2080021838971ee3a2a9836f7d00dd57');
INSERT INTO "audit_events" VALUES('local',8,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81smzeqffrkgd2c7rx8fb7r','{"attempt":1,"media":"med_01m81smzg6nfzqqdsehxwnc9dq","role":"selfie","state":"collecting","version":3}','e2b612928d4a889f147c6cf8e0866dea2080021838971ee3a2a9836f7d00dd57','0b0e03bebbc303a7b5fdf480e40ba4dd04a9697b31f3a5aec610c6683cd0aeb5');
INSERT INTO "audit_events" VALUES('local',9,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81smzhnbf8tskj4rexhkabd','{"case":"case_01m81smzeqyrqxptjcv16p2p17","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','0b0e03bebbc303a7b5fdf480e40ba4dd04a9697b31f3a5aec610c6683cd0aeb5','b911099e79eaa1c766e521afe9e9d1b0e7037f64295be1d122511253ef5e8b33');
INSERT INTO "audit_events" VALUES('local',10,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81smzeqffrkgd2c7rx8fb7r','{"attempt":1,"state":"submitted","version":4}','b911099e79eaa1c766e521afe9e9d1b0e7037f64295be1d122511253ef5e8b33','c6eff717f5311877f2d221872594f377cb773a854194dfe64194acbc2e015649');
INSERT INTO "audit_events" VALUES('local',11,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81smzeqffrkgd2c7rx8fb7r','{"attempt":1,"state":"processing","version":5}','c6eff717f5311877f2d221872594f377cb773a854194dfe64194acbc2e015649','6ba4a2ecc6d807c012363db89e6a17ca66ca8ed650d2e0a2f494502a9cc5e821');
INSERT INTO "audit_events" VALUES('local',12,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m81smzeqffrkgd2c7rx8fb7r','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','6ba4a2ecc6d807c012363db89e6a17ca66ca8ed650d2e0a2f494502a9cc5e821','acf98cb99a694e11b14e1b6d9ae8622c9ac7114b941845f0ae64ebe8eb625ac7');
INSERT INTO "audit_events" VALUES('local',13,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m81smzn7d3dgb91e1dwv82cd','{"case":"case_01m81smzeqyrqxptjcv16p2p17","consent":"con_01m81smzhnbf8tskj4rexhkabd","media":1,"references":1}','acf98cb99a694e11b14e1b6d9ae8622c9ac7114b941845f0ae64ebe8eb625ac7','280358295479ba32aeebe46b8645a1933cf03d1a070b7b1f6bbccd765b505594');
INSERT INTO "audit_events" VALUES('local',14,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81smzpc4br50jj8sh531m41','{"case":"case_01m81smzpcv57s530w465sfxdm","policy":"default","policy_version":1}','280358295479ba32aeebe46b8645a1933cf03d1a070b7b1f6bbccd765b505594','1a03faae106fb03a5d820fc21faafb7ee3ed471f057a062e0b1b77a0cd06b634');
INSERT INTO "audit_events" VALUES('local',15,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81smzpc4br50jj8sh531m41','{"attempt":1,"consent":"con_01m81smzpwdz1gb0kp49am6k47","state":"collecting","version":2}','1a03faae106fb03a5d820fc21faafb7ee3ed471f057a062e0b1b77a0cd06b634','4754d4972d871cd817d9a1cf7a8923340f4270d66089359eb9995e64e52d79f3');
INSERT INTO "audit_events" VALUES('local',16,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81smzpwdz1gb0kp49am6k47','{"case":"case_01m81smzpcv57s530w465sfxdm","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','4754d4972d871cd817d9a1cf7a8923340f4270d66089359eb9995e64e52d79f3','4872ee9d25018c30a0f285322d96a9344f5daff64266317528992872d81f095a');
INSERT INTO "audit_events" VALUES('local',17,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81smzpc4br50jj8sh531m41','{"attempt":1,"media":"med_01m81smzqhwwztqmt1z75s3tdp","role":"selfie","state":"collecting","version":3}','4872ee9d25018c30a0f285322d96a9344f5daff64266317528992872d81f095a','4686fdf0860c57af830a184fd18e6fb7ac09421f5328b65ac03010ebde4382a4');
INSERT INTO "audit_events" VALUES('local',18,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81smzr9cv4gmh7a3zv0sr9f','{"case":"case_01m81smzpcv57s530w465sfxdm","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','4686fdf0860c57af830a184fd18e6fb7ac09421f5328b65ac03010ebde4382a4','87e90fe50a7bae8e4697b0444e0760792ac5c7118222e7f49b8ab500a6cec16a');
INSERT INTO "audit_events" VALUES('local',19,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81smzpc4br50jj8sh531m41','{"attempt":1,"state":"submitted","version":4}','87e90fe50a7bae8e4697b0444e0760792ac5c7118222e7f49b8ab500a6cec16a','a27a02b3e4d7d7112d5634667bafada56d288b1aeb2d93040b246984014e5698');
INSERT INTO "audit_events" VALUES('local',20,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81smzpc4br50jj8sh531m41','{"attempt":1,"state":"processing","version":5}','a27a02b3e4d7d7112d5634667bafada56d288b1aeb2d93040b246984014e5698','ddc6b25781ef6f6658095d41844ec6e7adca91a6ec5ae063152e83be7bcfac5d');
INSERT INTO "audit_events" VALUES('local',21,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m81smzpc4br50jj8sh531m41','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','ddc6b25781ef6f6658095d41844ec6e7adca91a6ec5ae063152e83be7bcfac5d','a699be3688dffd71a8827258c58a5a3669f794ace91564da4a33e0bfafa5a613');
INSERT INTO "audit_events" VALUES('local',22,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m81smztfnk0v0c11mtp0a02d','{"case":"case_01m81smzpcv57s530w465sfxdm","consent":"con_01m81smzr9cv4gmh7a3zv0sr9f","media":1,"references":1}','a699be3688dffd71a8827258c58a5a3669f794ace91564da4a33e0bfafa5a613','19819de78e2ce9174ce359e99ecd741ac8e16e3556b0626983465a83c59e8598');
INSERT INTO "audit_events" VALUES('local',23,'2026-03-01T12:00:00.000000+00:00','k','session.redact','session','ses_01m81smzpc4br50jj8sh531m41','{"attempt":1,"state":"redacted","version":7}','19819de78e2ce9174ce359e99ecd741ac8e16e3556b0626983465a83c59e8598','0411745e5c8a64e2e23e5dafc8488a46ea8f22ed14687a47d579c03cd62447d5');
INSERT INTO "audit_events" VALUES('local',24,'2026-03-01T12:00:00.000000+00:00','k','case.media_deleted','case','case_01m81smzpcv57s530w465sfxdm','{"count":0,"reason":"request"}','0411745e5c8a64e2e23e5dafc8488a46ea8f22ed14687a47d579c03cd62447d5','ac1851305b1b2cf4fab67ad28e951b75c8610d5964efff66919522a72b72bbbe');
INSERT INTO "audit_events" VALUES('local',25,'2026-03-01T12:00:00.000000+00:00','k','case.redacted','case','case_01m81smzpcv57s530w465sfxdm','{"reason":"request"}','ac1851305b1b2cf4fab67ad28e951b75c8610d5964efff66919522a72b72bbbe','672c43ecb647a41bf95052a5be4304951d67d1eed2f3cc4775a9d77605c8a40e');
INSERT INTO "audit_events" VALUES('local',26,'2026-03-01T12:00:00.000000+00:00','k','subject.erased','subject','sub_01m81smztfnk0v0c11mtp0a02d','{"media":1,"reason":"request"}','672c43ecb647a41bf95052a5be4304951d67d1eed2f3cc4775a9d77605c8a40e','c87e2978d01fdd1a37d750a9da201f24199a7d136774110c3d4716801b2d363e');
INSERT INTO "audit_events" VALUES('local',27,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81smzyv6rmzmkdzfe2pz62f','{"case":"case_01m81smzyvzxm82pfnyy50yx81","policy":"default","policy_version":1}','c87e2978d01fdd1a37d750a9da201f24199a7d136774110c3d4716801b2d363e','0c170460c3fc99043a6fcb9312106efa6648ed3278af682541587cc0b59dab88');
INSERT INTO "audit_events" VALUES('local',28,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81smzyv6rmzmkdzfe2pz62f','{"attempt":1,"consent":"con_01m81smzyz4vaf9g5qkfjtceyb","state":"collecting","version":2}','0c170460c3fc99043a6fcb9312106efa6648ed3278af682541587cc0b59dab88','f6eae2fb11c4815c7af03f87515e93117ac3fb2dfa2a2ee4b88c42ac60c56d50');
INSERT INTO "audit_events" VALUES('local',29,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81smzyz4vaf9g5qkfjtceyb','{"case":"case_01m81smzyvzxm82pfnyy50yx81","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','f6eae2fb11c4815c7af03f87515e93117ac3fb2dfa2a2ee4b88c42ac60c56d50','f6ad12addbb66df0fef55ae333e73d5474e317c4f6d6d00fa17730c066bb3dae');
INSERT INTO "audit_events" VALUES('local',30,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81smzyv6rmzmkdzfe2pz62f','{"attempt":1,"media":"med_01m81smzzd3ftrsjmp49dnq3wr","role":"selfie","state":"collecting","version":3}','f6ad12addbb66df0fef55ae333e73d5474e317c4f6d6d00fa17730c066bb3dae','b5dd5120cc1be34baaa0dfa45034f746116c2ae7cfc3225347a689f3c9792ad3');
INSERT INTO "audit_events" VALUES('local',31,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81sn005ekrmyny1xwkd7s0q','{"case":"case_01m81smzyvzxm82pfnyy50yx81","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','b5dd5120cc1be34baaa0dfa45034f746116c2ae7cfc3225347a689f3c9792ad3','fe7c6aeb08ff5fc9e1681e73a970613547932aacbda9ab598e1a91fe32ecbe81');
INSERT INTO "audit_events" VALUES('local',32,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81smzyv6rmzmkdzfe2pz62f','{"attempt":1,"state":"submitted","version":4}','fe7c6aeb08ff5fc9e1681e73a970613547932aacbda9ab598e1a91fe32ecbe81','ac7e8f9f56374278efbe31ca857e842366a1a604a4c9f98a5d77f7526a5346f3');
INSERT INTO "audit_events" VALUES('local',33,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81smzyv6rmzmkdzfe2pz62f','{"attempt":1,"state":"processing","version":5}','ac7e8f9f56374278efbe31ca857e842366a1a604a4c9f98a5d77f7526a5346f3','f0d8615177844104aa1ea91d9930cdcdc01be9588fc29a218e17d1b5bef2ccdd');
INSERT INTO "audit_events" VALUES('local',34,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.ask_review','session','ses_01m81smzyv6rmzmkdzfe2pz62f','{"attempt":1,"decision":"review","policy":"default","policy_version":1,"state":"review","version":6,"worker":"golden"}','f0d8615177844104aa1ea91d9930cdcdc01be9588fc29a218e17d1b5bef2ccdd','c40ee8076f43967acc0be3e73b1d88fc286589cb21384fb671dd3d191d5a4adc');
INSERT INTO "audit_events" VALUES('local',35,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81sn01p2nyaz8zzeyxsg25n','{"case":"case_01m81sn01pp4mvg8t5p4bqsa9x","policy":"default","policy_version":1}','c40ee8076f43967acc0be3e73b1d88fc286589cb21384fb671dd3d191d5a4adc','4e41ad42dc5c8f36156807926bf4db3cb9385e99ee7a982f6db38aa606ff448f');
INSERT INTO "audit_events" VALUES('local',36,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81sn01p2nyaz8zzeyxsg25n','{"attempt":1,"consent":"con_01m81sn029ef1fwtvr286e5qjz","state":"collecting","version":2}','4e41ad42dc5c8f36156807926bf4db3cb9385e99ee7a982f6db38aa606ff448f','68f3914f1ba1e20427e8df908102de0c5f7b4fb2b19a06f52eb86204d949ec81');
INSERT INTO "audit_events" VALUES('local',37,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81sn029ef1fwtvr286e5qjz','{"case":"case_01m81sn01pp4mvg8t5p4bqsa9x","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','68f3914f1ba1e20427e8df908102de0c5f7b4fb2b19a06f52eb86204d949ec81','8c1047393d4a9167e1a16e69f062b8dba6a3a76e1fa5a1b85a37690bcf6a2044');
INSERT INTO "audit_events" VALUES('local',38,'2026-03-01T12:00:00.000000+00:00','client','session.submit','session','ses_01m81sn01p2nyaz8zzeyxsg25n','{"attempt":1,"state":"submitted","version":3}','8c1047393d4a9167e1a16e69f062b8dba6a3a76e1fa5a1b85a37690bcf6a2044','46947f32995c366d1f4792ab8cdc2d20bd004d920a226994119fe0fe1a371d38');
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
INSERT INTO "audit_heads" VALUES('local',38,'46947f32995c366d1f4792ab8cdc2d20bd004d920a226994119fe0fe1a371d38',1,'00e91aa85709f220ceab017ecda8df1c876316926fc61e5c1858e8e38c3a3652 b0002d89adf7f621eb74e34177c57da8e2a8f64dea851c8b8ef405e22153ba90 ed2ff76b3e0905c3c9cc782e21dab5808a99a88b01b6c0e039fed960894bcdf2','8529c4ef8d10e7858606049d617c54479f887bec27dbb442c3250c3c76109710');
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
INSERT INTO "cases" VALUES('sub_01m81smzn7d3dgb91e1dwv82cd','key_01m81smzeqmj2zvnqemck429g0','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81smzeqyrqxptjcv16p2p17');
INSERT INTO "cases" VALUES('sub_01m81smztfnk0v0c11mtp0a02d','key_01m81smzpcp0eftw4hh7y8dx5c','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','case_01m81smzpcv57s530w465sfxdm');
INSERT INTO "cases" VALUES(NULL,'key_01m81smzyvgsyzmkyd4s2vxaev','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81smzyvzxm82pfnyy50yx81');
INSERT INTO "cases" VALUES(NULL,'key_01m81sn01ptm5rkecjqy07mekd','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81sn01pp4mvg8t5p4bqsa9x');
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
INSERT INTO "consents" VALUES('case_01m81smzeqyrqxptjcv16p2p17','sub_01m81smzn7d3dgb91e1dwv82cd','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81smzfha2rhzh902hf26hza');
INSERT INTO "consents" VALUES('case_01m81smzeqyrqxptjcv16p2p17','sub_01m81smzn7d3dgb91e1dwv82cd','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81smzhnbf8tskj4rexhkabd');
INSERT INTO "consents" VALUES('case_01m81smzpcv57s530w465sfxdm','sub_01m81smztfnk0v0c11mtp0a02d','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81smzpwdz1gb0kp49am6k47');
INSERT INTO "consents" VALUES('case_01m81smzpcv57s530w465sfxdm','sub_01m81smztfnk0v0c11mtp0a02d','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81smzr9cv4gmh7a3zv0sr9f');
INSERT INTO "consents" VALUES('case_01m81smzyvzxm82pfnyy50yx81',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81smzyz4vaf9g5qkfjtceyb');
INSERT INTO "consents" VALUES('case_01m81smzyvzxm82pfnyy50yx81',NULL,'enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81sn005ekrmyny1xwkd7s0q');
INSERT INTO "consents" VALUES('case_01m81sn01pp4mvg8t5p4bqsa9x',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81sn029ef1fwtvr286e5qjz');
CREATE TABLE console_logins (
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	key_id VARCHAR(64), 
	provider VARCHAR(64), 
	subject VARCHAR(255), 
	name VARCHAR(200), 
	actor VARCHAR(64) NOT NULL, 
	role VARCHAR(16), 
	created DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	ended DATETIME, 
	CONSTRAINT pk_console_logins PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_console_logins_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT fk_console_logins_tenant_key_id FOREIGN KEY(tenant, key_id) REFERENCES api_keys (tenant, id)
);
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
INSERT INTO "findings" VALUES('local','case_01m81smzeqyrqxptjcv16p2p17',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81smzeqyrqxptjcv16p2p17',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m81smzpcv57s530w465sfxdm',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81smzpcv57s530w465sfxdm',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m81smzyvzxm82pfnyy50yx81',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81smzyvzxm82pfnyy50yx81',1,'document.mrz','fail',NULL,'["mrz.x"]');
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
INSERT INTO "keys" VALUES('tenant','local','local:df98ab7bada9bb29',X'01136E1CC4D16CE021036A1A15EABE9BFDF088CD0C5C969749549DE9D679234CCCCB804844F9821DFCE6A3F7355DEE1D6913C88698B2C9B331E7374804','2026-03-01 12:00:00.000000',NULL,'local','key_01m81smzan68a60mvkmnq5zebc');
INSERT INTO "keys" VALUES('audit','local','local:df98ab7bada9bb29',X'0183B10A2FBED4B64A13DEBCD10E795FAB0FE33DE27A080D9A236EE417C214F4B73961D16EAE1F2C288C039CCD44DFF67B53C6E0C935F0234BD4D8246C','2026-03-01 12:00:00.000000',NULL,'local','key_01m81smzayxqeafcsdpknq0tm0');
INSERT INTO "keys" VALUES('audit-mac','local','local:df98ab7bada9bb29',X'01BFADC9FA68BE49A610FF9C512E9058CADF895ECD30F467EDA0878FE211A9B90F530E4F0280181F46FF0273E5A966070AC713B41943D91CBD4219C141','2026-03-01 12:00:00.000000',NULL,'local','key_01m81smzazyw63qtptk90a5ddz');
INSERT INTO "keys" VALUES('case','case_01m81smzeqyrqxptjcv16p2p17','local:df98ab7bada9bb29',X'014B086DBAA9D80AF8A651C49E276A42ACAEBCAFCAED92A3CDF2876ABB5B558B50BAB5B31E8533E9D56C51B602ADF755B5C053E5AF87E1C09E6E0AFCD1','2026-03-01 12:00:00.000000',NULL,'local','key_01m81smzeqmj2zvnqemck429g0');
INSERT INTO "keys" VALUES('subject','sub_01m81smzn7d3dgb91e1dwv82cd','local:df98ab7bada9bb29',X'013FC27AE545788213BE92FB4C58B53C8D0297D01FBD7B1D1883085764499E7E2E5FA08D9A9BFE32058C06BEF89E94436595A2C84113904B4E30BF608E','2026-03-01 12:00:00.000000',NULL,'local','key_01m81smzn7b1mnk5qyjaa83gtb');
INSERT INTO "keys" VALUES('case','case_01m81smzpcv57s530w465sfxdm','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m81smzpcp0eftw4hh7y8dx5c');
INSERT INTO "keys" VALUES('subject','sub_01m81smztfnk0v0c11mtp0a02d','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m81smztfwadyd1wcc86ckj8z');
INSERT INTO "keys" VALUES('case','case_01m81smzyvzxm82pfnyy50yx81','local:df98ab7bada9bb29',X'01FDABA6DD30CA72F66F7506435F127E999221AD77923D9E1FDC95BC367E4194443D0FD9EA4B97D178EBCD46C49D5C46FDB91785225FE216BC50988B48','2026-03-01 12:00:00.000000',NULL,'local','key_01m81smzyvgsyzmkyd4s2vxaev');
INSERT INTO "keys" VALUES('case','case_01m81sn01pp4mvg8t5p4bqsa9x','local:df98ab7bada9bb29',X'011BABC0DCED909B97752392AB599A2364FEA6095FFD014373BC5688374A726C26B79C82831B1AED1C290B8973DE5C6E7FB93DD73749D507B9D019A5C1','2026-03-01 12:00:00.000000',NULL,'local','key_01m81sn01ptm5rkecjqy07mekd');
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
INSERT INTO "media" VALUES('case_01m81smzeqyrqxptjcv16p2p17','sub_01m81smzn7d3dgb91e1dwv82cd',1,'selfie','application/octet-stream',13,'case_01m81smzeqyrqxptjcv16p2p17/med_01m81smzg6nfzqqdsehxwnc9dq','key_01m81smzn7b1mnk5qyjaa83gtb',X'01040DC0A60E5D8922C4BAE0F192315CA489CEE74B531A238F16E8AA9B7938831127AEFAC3FC53F9462AEEE3D9506E092CC25284D239D99111AA781E46','fad568194d479504df1160ed672f62b8aa023e2330cb26b488f733fd6d2439b5',X'016871C99F6964BEA8C3054A95C156A3CD153280022E07E019239D74B1D88ADBBA78F1FFEC8ECB5A','2026-03-01 12:00:00.000000','local','med_01m81smzg6nfzqqdsehxwnc9dq');
INSERT INTO "media" VALUES('case_01m81smzyvzxm82pfnyy50yx81',NULL,1,'selfie','application/octet-stream',13,'case_01m81smzyvzxm82pfnyy50yx81/med_01m81smzzd3ftrsjmp49dnq3wr','key_01m81smzyvgsyzmkyd4s2vxaev',X'01C8FCACCFEA5EF8E6309E08BE70FFEC62C67EB5AFDCB376EFF29317FF67C818B786BC892C2122B7E6B35B3E0BB19EC8C3025F4F506CACD5396E408F0A','fad568194d479504df1160ed672f62b8aa023e2330cb26b488f733fd6d2439b5',X'01C42A665B2DF89D1E1AA69CE9E15C4A50F0D386343670571BA446BE2C12968BB24BCF6D11AC0CD8','2026-03-01 12:00:00.000000','local','med_01m81smzzd3ftrsjmp49dnq3wr');
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
	id VARCHAR(64) NOT NULL, traceparent VARCHAR(64), 
	CONSTRAINT pk_outbox PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_outbox_tenant_session_id FOREIGN KEY(tenant, session_id) REFERENCES sessions (tenant, id), 
	CONSTRAINT fk_outbox_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_outbox_tenant_session_id_sequence UNIQUE (tenant, session_id, sequence)
);
INSERT INTO "outbox" VALUES('ses_01m81smzeqffrkgd2c7rx8fb7r',6,'session.accepted','{"session": "ses_01m81smzeqffrkgd2c7rx8fb7r", "case": "case_01m81smzeqyrqxptjcv16p2p17", "reference": "anna", "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81smzksw6c7679sasvrn0d0',NULL);
INSERT INTO "outbox" VALUES('ses_01m81smzpc4br50jj8sh531m41',6,'session.accepted','{"session": "ses_01m81smzpc4br50jj8sh531m41", "case": "case_01m81smzpcv57s530w465sfxdm", "reference": null, "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81smzt0y67np7c6y3fbgv2x',NULL);
INSERT INTO "outbox" VALUES('ses_01m81smzpc4br50jj8sh531m41',7,'session.redacted','{"session": "ses_01m81smzpc4br50jj8sh531m41", "case": "case_01m81smzpcv57s530w465sfxdm", "reference": null, "state": "redacted", "reason": "session.redacted", "attempt": 1, "sequence": 7, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81smzvjrnajxya2dhccpbmh',NULL);
INSERT INTO "outbox" VALUES('ses_01m81smzyv6rmzmkdzfe2pz62f',6,'session.review','{"session": "ses_01m81smzyv6rmzmkdzfe2pz62f", "case": "case_01m81smzyvzxm82pfnyy50yx81", "reference": null, "state": "review", "reason": "verdict.review", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81sn018sb3b9dehvdzt8vmw',NULL);
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
INSERT INTO "references" VALUES('sub_01m81smzn7d3dgb91e1dwv82cd',NULL,'med_01m81smzg6nfzqqdsehxwnc9dq','face','golden-space',X'0177688B8B5E2015451E33322D87B9E4EDBCC12B0548E3BF5E8A3F3669620F54FA9C28CDC0D14862EBEDD024','2026-03-01 12:00:00.000000','local','ref_01m81smznp3f1805340sqkcqm6');
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
	id VARCHAR(64) NOT NULL, assignee VARCHAR(200), traceparent VARCHAR(64), 
	CONSTRAINT pk_sessions PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_sessions_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_sessions_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_sessions_tenant_case_id UNIQUE (tenant, case_id)
);
INSERT INTO "sessions" VALUES('case_01m81smzeqyrqxptjcv16p2p17','accepted','verdict.accept',6,1,0,'anna',X'013A2CC215BD4DE1282C8B6C194BE1B3500999833BE7DAD8EAF9D642F26E53CDE739E0555845C9245980A086E4E7','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81smzeqffrkgd2c7rx8fb7r',NULL,NULL);
INSERT INTO "sessions" VALUES('case_01m81smzpcv57s530w465sfxdm','redacted','session.redacted',7,1,0,NULL,NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81smzpc4br50jj8sh531m41',NULL,NULL);
INSERT INTO "sessions" VALUES('case_01m81smzyvzxm82pfnyy50yx81','review','verdict.review',6,1,0,NULL,X'01385E01B044234E7EAA13FBE64C7045386C89F45EB7B8F5DB7C5DB8ABADED314360DFA3815B46EFFFBB44A4BDE4','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81smzyv6rmzmkdzfe2pz62f',NULL,NULL);
INSERT INTO "sessions" VALUES('case_01m81sn01pp4mvg8t5p4bqsa9x','submitted','session.submitted',3,1,0,'waits',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81sn01p2nyaz8zzeyxsg25n',NULL,NULL);
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
INSERT INTO "subjects" VALUES('anna','key_01m81smzn7b1mnk5qyjaa83gtb','2026-03-01 12:00:00.000000',NULL,NULL,'local','sub_01m81smzn7d3dgb91e1dwv82cd');
INSERT INTO "subjects" VALUES(NULL,'key_01m81smztfwadyd1wcc86ckj8z','2026-03-01 12:00:00.000000',NULL,'2026-03-01 12:00:00.000000','local','sub_01m81smztfnk0v0c11mtp0a02d');
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
CREATE TABLE tenant_settings (
	tenant VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	"values" JSON NOT NULL, 
	author TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_tenant_settings PRIMARY KEY (tenant, version), 
	CONSTRAINT fk_tenant_settings_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
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
INSERT INTO "verdicts" VALUES('local','case_01m81smzeqyrqxptjcv16p2p17',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'0142D5D74605126D62ED6E6FD97517B67B41EB84444F2690733E3BD98289060A01BCA3EE45AEEA3B72132743B0F29DFB19A3E8FF292526D76DB1D98715CEF86EE849');
INSERT INTO "verdicts" VALUES('local','case_01m81smzpcv57s530w465sfxdm',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',NULL);
INSERT INTO "verdicts" VALUES('local','case_01m81smzyvzxm82pfnyy50yx81',1,'review','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'018651A90FDE7610E44115713A1B6B62E660E3C003D9EEAD435E9643B58C36AC020B5D16130D716B200C1C9144B4C56C5AF5CD224A54EFCD6FCA47FAD3595CD7DA9D');
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
INSERT INTO "webhook_endpoints" VALUES('https://example.org/hook','[]',X'012BBBD7AC1777F978BC3BADC30020C5ABCA6947A846995B84C9819FAF3A6FCCDA1DD42F00B33B6F8AC6F551398C7BA2429C2D34B7418983F528D2CEF9',NULL,NULL,'2026-03-01 12:00:00.000000',NULL,'local','whe_01m81smzdc2ybtje1r5w1deqrs');
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
CREATE INDEX ix_console_logins_expires ON console_logins (expires);
COMMIT;
