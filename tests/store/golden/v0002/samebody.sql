BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
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
INSERT INTO "audit_checkpoints" VALUES('local',1,38,'20fecc4ca667323eaec88414822ddd04f0cbf5ff9826866c057e6354749b365e','2026-03-01T12:00:00.000000+00:00','526d866b392cf2c9842b3ce635abcea2344e91bdf820e5496fcf837f08afa66e','a1cd8f07edd2a8996784af55dfa313a8d3a06bcf769bbfc861fbb57d746e2ca2','f2bc84a8effa1cc5113dfeaf172db9818d264f2bee4b80a323eb0166efe35fb031d47a23af290b31e8fe573f632c8152e1a97e404037e7609ebe92ff37d92002');
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
INSERT INTO "audit_events" VALUES('local',4,'2026-03-01T12:00:00.000000+00:00','golden','webhook.endpoint_added','webhook_endpoint','whe_01m81c7qf86m7chgqq4mwn3ngc','{}','077afc5698654ceb4557d3868d7a786f1512ffddef59f4c2e53279c8c51f483a','4ca7071df8e8407ef5bcf4d2a61a0a0b50bbead79a2df1c229ee5ba95111c0ba');
INSERT INTO "audit_events" VALUES('local',5,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81c7qgyybmfy95dxndkfw65','{"case":"case_01m81c7qgy5xgdwq5gtjd4kcef","policy":"default","policy_version":1}','4ca7071df8e8407ef5bcf4d2a61a0a0b50bbead79a2df1c229ee5ba95111c0ba','72d477d73d2474530a0b17869aaddc6b0c8c46e04bd059aafd0c346ae83f613b');
INSERT INTO "audit_events" VALUES('local',6,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81c7qgyybmfy95dxndkfw65','{"attempt":1,"consent":"con_01m81c7qkrce1fy1sd80d144kw","state":"collecting","version":2}','72d477d73d2474530a0b17869aaddc6b0c8c46e04bd059aafd0c346ae83f613b','7574407cc6d2234784e07dac92e179d6e4acb23a71c532095f26e2de4f7e2eeb');
INSERT INTO "audit_events" VALUES('local',7,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81c7qkrce1fy1sd80d144kw','{"case":"case_01m81c7qgy5xgdwq5gtjd4kcef","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','7574407cc6d2234784e07dac92e179d6e4acb23a71c532095f26e2de4f7e2eeb','12628ac4a96060b319c302324934b6d3047a10186dcce3e021bbc739b1f50975');
INSERT INTO "audit_events" VALUES('local',8,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81c7qgyybmfy95dxndkfw65','{"attempt":1,"media":"med_01m81c7qqbm8tftxtk9hxkjjwb","role":"selfie","state":"collecting","version":3}','12628ac4a96060b319c302324934b6d3047a10186dcce3e021bbc739b1f50975','bf26d060315cde3c31962446ca6896658e97e267d6a7423ab9dce5282adcf448');
INSERT INTO "audit_events" VALUES('local',9,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81c7qt6hpj1w442k0nkkcy2','{"case":"case_01m81c7qgy5xgdwq5gtjd4kcef","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','bf26d060315cde3c31962446ca6896658e97e267d6a7423ab9dce5282adcf448','f5750a9aa3390f0be0b18f1c6a89ef164996c8f80ed998ad09256c8b076ab3c1');
INSERT INTO "audit_events" VALUES('local',10,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81c7qgyybmfy95dxndkfw65','{"attempt":1,"state":"submitted","version":4}','f5750a9aa3390f0be0b18f1c6a89ef164996c8f80ed998ad09256c8b076ab3c1','fa79e46356a6922f121a4a06ef83153547e362f2b50739d009bb91fcb176106a');
INSERT INTO "audit_events" VALUES('local',11,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81c7qgyybmfy95dxndkfw65','{"attempt":1,"state":"processing","version":5}','fa79e46356a6922f121a4a06ef83153547e362f2b50739d009bb91fcb176106a','e7a59e04bbf4e98526cf9bd36b21e38a5f306bb2c5ca48ba7505dfc87c24e165');
INSERT INTO "audit_events" VALUES('local',12,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m81c7qgyybmfy95dxndkfw65','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','e7a59e04bbf4e98526cf9bd36b21e38a5f306bb2c5ca48ba7505dfc87c24e165','caf55ed827d9a1054a34c1328718884e526f09a3ee498bb6d3738e69dcdcf97f');
INSERT INTO "audit_events" VALUES('local',13,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m81c7r6xmedk3qr8d58y50gg','{"case":"case_01m81c7qgy5xgdwq5gtjd4kcef","consent":"con_01m81c7qt6hpj1w442k0nkkcy2","media":1,"references":1}','caf55ed827d9a1054a34c1328718884e526f09a3ee498bb6d3738e69dcdcf97f','59f706a4cd7c18586dd8d37b5906675da19555b1f6bbba35090488045917f538');
INSERT INTO "audit_events" VALUES('local',14,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81c7rcpfesqjb04kx7cwewy','{"case":"case_01m81c7rcp2nrzbc8mzx3mcxt6","policy":"default","policy_version":1}','59f706a4cd7c18586dd8d37b5906675da19555b1f6bbba35090488045917f538','28905e7cf6cddb8aa8f963fc00147a4f3547e35d01eb6af869bd3a6e2410c656');
INSERT INTO "audit_events" VALUES('local',15,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81c7rcpfesqjb04kx7cwewy','{"attempt":1,"consent":"con_01m81c7renxr2bmvsbnft11cyg","state":"collecting","version":2}','28905e7cf6cddb8aa8f963fc00147a4f3547e35d01eb6af869bd3a6e2410c656','9de27a7689b43a1855100d472f4ef2899a38b3aac5eaa39f8e19031809deb472');
INSERT INTO "audit_events" VALUES('local',16,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81c7renxr2bmvsbnft11cyg','{"case":"case_01m81c7rcp2nrzbc8mzx3mcxt6","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','9de27a7689b43a1855100d472f4ef2899a38b3aac5eaa39f8e19031809deb472','35102741182129f1f2df9e38695e3044c0ed3810bda996851c87b3f17388a56b');
INSERT INTO "audit_events" VALUES('local',17,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81c7rcpfesqjb04kx7cwewy','{"attempt":1,"media":"med_01m81c7rgy58w28jdg4qe48z64","role":"selfie","state":"collecting","version":3}','35102741182129f1f2df9e38695e3044c0ed3810bda996851c87b3f17388a56b','b50e04a7a55ac0a4be346fef56526db6998491f8cc9026fab49603afdfef1c30');
INSERT INTO "audit_events" VALUES('local',18,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81c7rkpjd8wf57gcce1djez','{"case":"case_01m81c7rcp2nrzbc8mzx3mcxt6","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','b50e04a7a55ac0a4be346fef56526db6998491f8cc9026fab49603afdfef1c30','65a1dc436abb20beb18d71d81f8f2d9e91dafd0d93a829426b2a589ba70f23d5');
INSERT INTO "audit_events" VALUES('local',19,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81c7rcpfesqjb04kx7cwewy','{"attempt":1,"state":"submitted","version":4}','65a1dc436abb20beb18d71d81f8f2d9e91dafd0d93a829426b2a589ba70f23d5','eaf51a7f691d25f678c0c31d6c7642c930e79c9b6f383dac1ff3677ccde0657b');
INSERT INTO "audit_events" VALUES('local',20,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81c7rcpfesqjb04kx7cwewy','{"attempt":1,"state":"processing","version":5}','eaf51a7f691d25f678c0c31d6c7642c930e79c9b6f383dac1ff3677ccde0657b','cbc81fe4bcc3c8980a90f6120def17405439e2fb2d69a604656178250e76471f');
INSERT INTO "audit_events" VALUES('local',21,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m81c7rcpfesqjb04kx7cwewy','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','cbc81fe4bcc3c8980a90f6120def17405439e2fb2d69a604656178250e76471f','47ac3391fac2dd66e164d3688aa30e066d54b09a71e39d50dfa2768384ca8a7d');
INSERT INTO "audit_events" VALUES('local',22,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m81c7rvn4bbcngd5gcccfwy9','{"case":"case_01m81c7rcp2nrzbc8mzx3mcxt6","consent":"con_01m81c7rkpjd8wf57gcce1djez","media":1,"references":1}','47ac3391fac2dd66e164d3688aa30e066d54b09a71e39d50dfa2768384ca8a7d','c5e8325abfa79c072f435f1f2813bce827b7a1d7145af2d08a941a67fde8f0fe');
INSERT INTO "audit_events" VALUES('local',23,'2026-03-01T12:00:00.000000+00:00','k','session.redact','session','ses_01m81c7rcpfesqjb04kx7cwewy','{"attempt":1,"state":"redacted","version":7}','c5e8325abfa79c072f435f1f2813bce827b7a1d7145af2d08a941a67fde8f0fe','9fdbf883f6677e37500bd3c04b6700655ad599565d578befe7cbc29b7caaac7f');
INSERT INTO "audit_events" VALUES('local',24,'2026-03-01T12:00:00.000000+00:00','k','case.media_deleted','case','case_01m81c7rcp2nrzbc8mzx3mcxt6','{"count":0,"reason":"request"}','9fdbf883f6677e37500bd3c04b6700655ad599565d578befe7cbc29b7caaac7f','129dc530a2624609240c64aa75adb83182bb945d41405258e807dc6447143200');
INSERT INTO "audit_events" VALUES('local',25,'2026-03-01T12:00:00.000000+00:00','k','case.redacted','case','case_01m81c7rcp2nrzbc8mzx3mcxt6','{"reason":"request"}','129dc530a2624609240c64aa75adb83182bb945d41405258e807dc6447143200','3dc1ac8f90c6218185e2d1e3b81c624e57baaa05a8e39f26ee86f6b136361204');
INSERT INTO "audit_events" VALUES('local',26,'2026-03-01T12:00:00.000000+00:00','k','subject.erased','subject','sub_01m81c7rvn4bbcngd5gcccfwy9','{"media":1,"reason":"request"}','3dc1ac8f90c6218185e2d1e3b81c624e57baaa05a8e39f26ee86f6b136361204','f38447459deda7055c5bfb87323f4b60e5b8f79b833721b1af96379a9b71213d');
INSERT INTO "audit_events" VALUES('local',27,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81c7sd2bat90yjvv9fg21tr','{"case":"case_01m81c7sd1krcg6k2r6ecjcaex","policy":"default","policy_version":1}','f38447459deda7055c5bfb87323f4b60e5b8f79b833721b1af96379a9b71213d','d1b64f71352f3c00b1935c28a7398f45e567fd5ee8c85d3f81576b8d7921b4cf');
INSERT INTO "audit_events" VALUES('local',28,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81c7sd2bat90yjvv9fg21tr','{"attempt":1,"consent":"con_01m81c7sekrdmccf25kffn1zgp","state":"collecting","version":2}','d1b64f71352f3c00b1935c28a7398f45e567fd5ee8c85d3f81576b8d7921b4cf','1b8e7c95267736ecebbc4c5a76340bbcb1f4a44a5f168b1fcc8a506eb314f864');
INSERT INTO "audit_events" VALUES('local',29,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81c7sekrdmccf25kffn1zgp','{"case":"case_01m81c7sd1krcg6k2r6ecjcaex","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','1b8e7c95267736ecebbc4c5a76340bbcb1f4a44a5f168b1fcc8a506eb314f864','7b7c587af8243825d675d505e3533b7ef1a19043ad30fc3bccf35c966791aab3');
INSERT INTO "audit_events" VALUES('local',30,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81c7sd2bat90yjvv9fg21tr','{"attempt":1,"media":"med_01m81c7shbc0jt4jtzy9f0v0sp","role":"selfie","state":"collecting","version":3}','7b7c587af8243825d675d505e3533b7ef1a19043ad30fc3bccf35c966791aab3','7a86ce9369131ee2db086070736729d38e6865f157cf42d97ae396ad36c6d970');
INSERT INTO "audit_events" VALUES('local',31,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81c7sktw86731chsab39qsa','{"case":"case_01m81c7sd1krcg6k2r6ecjcaex","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','7a86ce9369131ee2db086070736729d38e6865f157cf42d97ae396ad36c6d970','b8ccd3f4d0e3cc77da9eb38917b5a07bede5135be552c9c1aad545869ac1e5e8');
INSERT INTO "audit_events" VALUES('local',32,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81c7sd2bat90yjvv9fg21tr','{"attempt":1,"state":"submitted","version":4}','b8ccd3f4d0e3cc77da9eb38917b5a07bede5135be552c9c1aad545869ac1e5e8','0135eadc911875e9ad8d34e50c6631e8c4e114f2c476d377cbce32caecc8c1eb');
INSERT INTO "audit_events" VALUES('local',33,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81c7sd2bat90yjvv9fg21tr','{"attempt":1,"state":"processing","version":5}','0135eadc911875e9ad8d34e50c6631e8c4e114f2c476d377cbce32caecc8c1eb','9f7bbfee646a94f9cad7e33ce19c6763d4eed23a78c38cda7ed16e971377a37a');
INSERT INTO "audit_events" VALUES('local',34,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.ask_review','session','ses_01m81c7sd2bat90yjvv9fg21tr','{"attempt":1,"decision":"review","policy":"default","policy_version":1,"state":"review","version":6,"worker":"golden"}','9f7bbfee646a94f9cad7e33ce19c6763d4eed23a78c38cda7ed16e971377a37a','afedcdf922af7d2068055d9d388bf59dc59b765de967f565de41af9dc2d74f6d');
INSERT INTO "audit_events" VALUES('local',35,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81c7stbq2xsgt0v803ksznf','{"case":"case_01m81c7stbqcw1fy2cn991tr8j","policy":"default","policy_version":1}','afedcdf922af7d2068055d9d388bf59dc59b765de967f565de41af9dc2d74f6d','c967941a2de154a38a5fd6742080d58627a8d2e1aad575e5e906797f831ab272');
INSERT INTO "audit_events" VALUES('local',36,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81c7stbq2xsgt0v803ksznf','{"attempt":1,"consent":"con_01m81c7svtseg3decjg094as45","state":"collecting","version":2}','c967941a2de154a38a5fd6742080d58627a8d2e1aad575e5e906797f831ab272','8a55ecdcc09d7bf32cd0e00f171da55955ef6575a3b2301799592aab45c0b546');
INSERT INTO "audit_events" VALUES('local',37,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81c7svtseg3decjg094as45','{"case":"case_01m81c7stbqcw1fy2cn991tr8j","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','8a55ecdcc09d7bf32cd0e00f171da55955ef6575a3b2301799592aab45c0b546','91716f3bb516597789d3c2b73f1ce86d9104186ec70fa608cdad3df365c86794');
INSERT INTO "audit_events" VALUES('local',38,'2026-03-01T12:00:00.000000+00:00','client','session.submit','session','ses_01m81c7stbq2xsgt0v803ksznf','{"attempt":1,"state":"submitted","version":3}','91716f3bb516597789d3c2b73f1ce86d9104186ec70fa608cdad3df365c86794','75a729511169fe587b0047f81f19bcbe376e59c06e81b16693baa43d6f8c8bc5');
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
INSERT INTO "audit_heads" VALUES('local',38,'75a729511169fe587b0047f81f19bcbe376e59c06e81b16693baa43d6f8c8bc5',1,'55f149f5e1b51f7e95795759fcdbc41764d12f6ef9f23621f761757d03882bc1 2426e31411c0a3695b5295cb28daa009d5736ef5b88395875f4cc6ae599506a2 fe7fa8c5d8240431139e130c9221cdf26f3151914651f31a294af2e25a579b71','2ca3e3f92aedbf9812a78d4c1dfe13b1031c5e652059fc97f2015a4f4f895691');
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
INSERT INTO "cases" VALUES('sub_01m81c7r6xmedk3qr8d58y50gg','key_01m81c7qgysp7h9d7aze8vp15j','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81c7qgy5xgdwq5gtjd4kcef');
INSERT INTO "cases" VALUES('sub_01m81c7rvn4bbcngd5gcccfwy9','key_01m81c7rcpa2wfznks3a7m1ssy','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','case_01m81c7rcp2nrzbc8mzx3mcxt6');
INSERT INTO "cases" VALUES(NULL,'key_01m81c7sd2mtr8dh41bv59p0rp','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81c7sd1krcg6k2r6ecjcaex');
INSERT INTO "cases" VALUES(NULL,'key_01m81c7stb473vm78v11fj7nng','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81c7stbqcw1fy2cn991tr8j');
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
INSERT INTO "consents" VALUES('case_01m81c7qgy5xgdwq5gtjd4kcef','sub_01m81c7r6xmedk3qr8d58y50gg','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81c7qkrce1fy1sd80d144kw');
INSERT INTO "consents" VALUES('case_01m81c7qgy5xgdwq5gtjd4kcef','sub_01m81c7r6xmedk3qr8d58y50gg','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81c7qt6hpj1w442k0nkkcy2');
INSERT INTO "consents" VALUES('case_01m81c7rcp2nrzbc8mzx3mcxt6','sub_01m81c7rvn4bbcngd5gcccfwy9','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81c7renxr2bmvsbnft11cyg');
INSERT INTO "consents" VALUES('case_01m81c7rcp2nrzbc8mzx3mcxt6','sub_01m81c7rvn4bbcngd5gcccfwy9','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81c7rkpjd8wf57gcce1djez');
INSERT INTO "consents" VALUES('case_01m81c7sd1krcg6k2r6ecjcaex',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81c7sekrdmccf25kffn1zgp');
INSERT INTO "consents" VALUES('case_01m81c7sd1krcg6k2r6ecjcaex',NULL,'enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81c7sktw86731chsab39qsa');
INSERT INTO "consents" VALUES('case_01m81c7stbqcw1fy2cn991tr8j',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81c7svtseg3decjg094as45');
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
INSERT INTO "findings" VALUES('local','case_01m81c7qgy5xgdwq5gtjd4kcef',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81c7qgy5xgdwq5gtjd4kcef',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m81c7rcp2nrzbc8mzx3mcxt6',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81c7rcp2nrzbc8mzx3mcxt6',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m81c7sd1krcg6k2r6ecjcaex',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81c7sd1krcg6k2r6ecjcaex',1,'document.mrz','fail',NULL,'["mrz.x"]');
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
INSERT INTO "keys" VALUES('tenant','local','local:df98ab7bada9bb29',X'011710B974336E61291CC58818970A084A2FAAF292B914AA17136F88CF2A0A1D195C821FE3364C2C7449E62DB36FADBA27D42633077DEC65BE73059798','2026-03-01 12:00:00.000000',NULL,'local','key_01m81c7pz574dxt3mdvgjbc3nw');
INSERT INTO "keys" VALUES('audit','local','local:df98ab7bada9bb29',X'01D3E9E1156449CC68CE97F3D282C90B695906E5F976E84E1FEC9E1B431276966B4029CD4B7FD288694C1E735C71402422D8670BB777D0AEDA8265E830','2026-03-01 12:00:00.000000',NULL,'local','key_01m81c7pzzfnve2benz81p6jf7');
INSERT INTO "keys" VALUES('audit-mac','local','local:df98ab7bada9bb29',X'0108CAAD6541B9D1240E53FCC779E577A6C709226257D760240075AE8B3C9F4401258A3B845E4914EECEAB24431F19B86D4E250B82FCAA055C20F75D03','2026-03-01 12:00:00.000000',NULL,'local','key_01m81c7q0nd86kvpt5tsadm3h5');
INSERT INTO "keys" VALUES('case','case_01m81c7qgy5xgdwq5gtjd4kcef','local:df98ab7bada9bb29',X'01B1A60D08F29C2EAA81C70BA1124C0771CAE0C670D995295A0602028E9CF2A41574F588D2B86678DE767D3C250FB90C835ED917DEA2B9BC7C3D0B6626','2026-03-01 12:00:00.000000',NULL,'local','key_01m81c7qgysp7h9d7aze8vp15j');
INSERT INTO "keys" VALUES('subject','sub_01m81c7r6xmedk3qr8d58y50gg','local:df98ab7bada9bb29',X'01968BC4F79F34304C9730DC2A42768802CE8695005F3015B7E6B855A3D3A8542F212D3583EB55E18EEB0B4555DDFFAE3A1C1388B9D76F2688A76EFFB1','2026-03-01 12:00:00.000000',NULL,'local','key_01m81c7r6xyy7mjf59a4r652qw');
INSERT INTO "keys" VALUES('case','case_01m81c7rcp2nrzbc8mzx3mcxt6','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m81c7rcpa2wfznks3a7m1ssy');
INSERT INTO "keys" VALUES('subject','sub_01m81c7rvn4bbcngd5gcccfwy9','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m81c7rvnbenerztbtr096zbr');
INSERT INTO "keys" VALUES('case','case_01m81c7sd1krcg6k2r6ecjcaex','local:df98ab7bada9bb29',X'015DF2B5383D0CE7942ACD55991B972AE63768E0ED619F22B8BA6B14A6211B17AA88E90FCA2DFB7C7DFF6C02E7803767D37172E5A21B4556030AF9B377','2026-03-01 12:00:00.000000',NULL,'local','key_01m81c7sd2mtr8dh41bv59p0rp');
INSERT INTO "keys" VALUES('case','case_01m81c7stbqcw1fy2cn991tr8j','local:df98ab7bada9bb29',X'014C316BFC620302FA7F9EEB7105D094C4120320B37E26E75204874CC7214D543219618C7F5FD66190BE812CDEE01607BC136F1BB9A8683ECACAC1BCB1','2026-03-01 12:00:00.000000',NULL,'local','key_01m81c7stb473vm78v11fj7nng');
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
INSERT INTO "media" VALUES('case_01m81c7qgy5xgdwq5gtjd4kcef','sub_01m81c7r6xmedk3qr8d58y50gg',1,'selfie','application/octet-stream',13,'case_01m81c7qgy5xgdwq5gtjd4kcef/med_01m81c7qqbm8tftxtk9hxkjjwb','key_01m81c7r6xyy7mjf59a4r652qw',X'01F1A57C1AD2F6F6717AF39157EC463EAE2241DD80DAA174B4614F7DD0AF193CFE8A0CF1DF03FFE252546F89955D71DBBDC518CE7F63F296D741AECF21','6f5d3701b39fdc7da7949d052ae921b3f21af6b7611705a5f1be0f22e2fc8f8e',X'015DE90624F785B738DC6ECBABD9C7B25028B74677485299095B5B486098DC34842C433993114C42','2026-03-01 12:00:00.000000','local','med_01m81c7qqbm8tftxtk9hxkjjwb');
INSERT INTO "media" VALUES('case_01m81c7sd1krcg6k2r6ecjcaex',NULL,1,'selfie','application/octet-stream',13,'case_01m81c7sd1krcg6k2r6ecjcaex/med_01m81c7shbc0jt4jtzy9f0v0sp','key_01m81c7sd2mtr8dh41bv59p0rp',X'0188E0A89558F5AEF9277E39E1EDE2B734998348C17CDE8340C21D660444A24FF6A3E4283721C702D7C7B05A5F8B6DB78F3A3494167D574B56F5CC461C','6f5d3701b39fdc7da7949d052ae921b3f21af6b7611705a5f1be0f22e2fc8f8e',X'01C086972E982B5E65C9C987073E1E73B714F7EB4E75CA61E05182F5FC9E2D7D25E64C49D6C69173','2026-03-01 12:00:00.000000','local','med_01m81c7shbc0jt4jtzy9f0v0sp');
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
INSERT INTO "outbox" VALUES('ses_01m81c7qgyybmfy95dxndkfw65',6,'session.accepted','{"session": "ses_01m81c7qgyybmfy95dxndkfw65", "case": "case_01m81c7qgy5xgdwq5gtjd4kcef", "reference": "anna", "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81c7r30p0qzfrsbbhargefx');
INSERT INTO "outbox" VALUES('ses_01m81c7rcpfesqjb04kx7cwewy',6,'session.accepted','{"session": "ses_01m81c7rcpfesqjb04kx7cwewy", "case": "case_01m81c7rcp2nrzbc8mzx3mcxt6", "reference": null, "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81c7rse9dfzb9hj8sd74nnq');
INSERT INTO "outbox" VALUES('ses_01m81c7rcpfesqjb04kx7cwewy',7,'session.redacted','{"session": "ses_01m81c7rcpfesqjb04kx7cwewy", "case": "case_01m81c7rcp2nrzbc8mzx3mcxt6", "reference": null, "state": "redacted", "reason": "session.redacted", "attempt": 1, "sequence": 7, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81c7s0c6shmx9ea77hs4ms6');
INSERT INTO "outbox" VALUES('ses_01m81c7sd2bat90yjvv9fg21tr',6,'session.review','{"session": "ses_01m81c7sd2bat90yjvv9fg21tr", "case": "case_01m81c7sd1krcg6k2r6ecjcaex", "reference": null, "state": "review", "reason": "verdict.review", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81c7sryy88yhhtbd84nt5pb');
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
INSERT INTO "references" VALUES('sub_01m81c7r6xmedk3qr8d58y50gg',NULL,'med_01m81c7qqbm8tftxtk9hxkjjwb','face','golden-space',X'01E7457D77268C238FC70208FA1E6647FC4D14C063389BD5E59A524A31A73B4DEA05C47335AA4A7F6E32A975','2026-03-01 12:00:00.000000','local','ref_01m81c7r9s6zyh80w2fsn5ad5t');
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
INSERT INTO "sessions" VALUES('case_01m81c7qgy5xgdwq5gtjd4kcef','accepted','verdict.accept',6,1,0,'anna',X'01346A3374FF929CA86E34760E5E6DB3360DA5814C711ED47076F1A35E934EFA025346628B230934352BC2DCA42B','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81c7qgyybmfy95dxndkfw65');
INSERT INTO "sessions" VALUES('case_01m81c7rcp2nrzbc8mzx3mcxt6','redacted','session.redacted',7,1,0,NULL,NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81c7rcpfesqjb04kx7cwewy');
INSERT INTO "sessions" VALUES('case_01m81c7sd1krcg6k2r6ecjcaex','review','verdict.review',6,1,0,NULL,X'01F3E8B150780C8129CA8AF4C9A04C7B338F5F8A27B6BBD56423438671153C121AB8A1C8EC8DD266F89FB9F573E8','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81c7sd2bat90yjvv9fg21tr');
INSERT INTO "sessions" VALUES('case_01m81c7stbqcw1fy2cn991tr8j','submitted','session.submitted',3,1,0,'waits',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81c7stbq2xsgt0v803ksznf');
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
INSERT INTO "subjects" VALUES('anna','key_01m81c7r6xyy7mjf59a4r652qw','2026-03-01 12:00:00.000000',NULL,NULL,'local','sub_01m81c7r6xmedk3qr8d58y50gg');
INSERT INTO "subjects" VALUES(NULL,'key_01m81c7rvnbenerztbtr096zbr','2026-03-01 12:00:00.000000',NULL,'2026-03-01 12:00:00.000000','local','sub_01m81c7rvn4bbcngd5gcccfwy9');
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
INSERT INTO "verdicts" VALUES('local','case_01m81c7qgy5xgdwq5gtjd4kcef',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'017AB87EA563BC4522AFE90D91481E42E01D66F917717575553DBC2DA220FBFE1A1269E487C35E579FA4CC4DA4EF39069DC215AED80B83A44F6F1F16ACC7EB9989BF');
INSERT INTO "verdicts" VALUES('local','case_01m81c7rcp2nrzbc8mzx3mcxt6',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',NULL);
INSERT INTO "verdicts" VALUES('local','case_01m81c7sd1krcg6k2r6ecjcaex',1,'review','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'0116003665BF561A2085353C5CAD5081A1C99B7186A8A7C5CBF24243CF5C8E862F496FEEBBD19C410741156FAC57B7EBA1FCE0C94D30F7FBE9D8C4E6B132D82612B7');
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
INSERT INTO "webhook_endpoints" VALUES('https://example.org/hook','[]',X'01A3929FAF5392F3E5D20C743BCF479E634FC51B2F91C6F39962CCFE5307C2FC1E7D2AAFA0CD4A7F2EE098793E99AF23415DD02206E5636B20FE262AB5',NULL,NULL,'2026-03-01 12:00:00.000000',NULL,'local','whe_01m81c7qf86m7chgqq4mwn3ngc');
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
